//! A letter on its way in: from DATA to the answer behind the final dot.

use std::{io, mem};

use tokio::io::AsyncBufReadExt;

use super::fault::{Effect, MailFault, Verb, When};
use super::letter::ReceivedLetter;
use super::session::{Next, Session};

impl Session {
    /// DATA, the letter, and the answer behind its final dot.
    pub(super) async fn data(&mut self, fault: Option<MailFault>) -> io::Result<Next> {
        if self.to.is_empty() {
            return self.answer(fault, "503 5.5.1 Need RCPT command").await;
        }
        if let Next::End = self.answer(fault, "354 End data with <CR><LF>.<CR><LF>").await? {
            return Ok(Next::End);
        }
        let Some(wire) = self.body().await? else { return Ok(Next::End) };
        let fault = self.note(Verb::Dot, "");
        if let Some(MailFault { when: When::Before, effect, .. }) = &fault {
            match effect {
                Effect::Drop | Effect::Reply(..) => {
                    (self.from, self.to) = (None, Vec::new());
                    return self.answer(fault, "").await;
                }
                // Neither a held nor a late letter is stored before its time.
                Effect::Hold | Effect::Delay(_) => {
                    if let Next::End = self.suffer(effect.clone()).await? {
                        return Ok(Next::End);
                    }
                    let reply = self.store(wire);
                    return self.answer(None, &reply).await;
                }
            }
        }
        let reply = self.store(wire);
        self.answer(fault, &reply).await
    }

    /// Reads to the final dot; `None` when the connection ends before.
    async fn body(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut wire = Vec::new();
        let mut first = true;
        loop {
            let mut line = Vec::new();
            if self.stream.read_until(b'\n', &mut line).await? == 0 {
                return Ok(None);
            }
            let lone_dot = matches!(line.as_slice(), b".\r\n" | b".\n");
            if wire.len() <= self.options.max_bytes || lone_dot {
                wire.extend_from_slice(&line);
            }
            if first {
                first = false;
                let fault = self.note(Verb::Body, "");
                if let Some(fault) = fault
                    && let Next::End = self.suffer(fault.effect).await?
                {
                    return Ok(None);
                }
            }
            if lone_dot {
                return Ok(Some(wire));
            }
        }
    }

    fn store(&mut self, wire: Vec<u8>) -> String {
        let (from, to) = (self.from.take().unwrap_or_default(), mem::take(&mut self.to));
        if wire.len() > self.options.max_bytes {
            return "552 5.3.4 Message size exceeds fixed limit".to_owned();
        }
        let letter = ReceivedLetter {
            from,
            to,
            at: self.options.clock.now(),
            connection: self.connection,
            user: self.user.clone(),
            encrypted: self.encrypted,
            raw: unstuffed(&wire),
            wire,
        };
        match self.shared.keep(letter) {
            Ok(number) => format!("250 2.0.0 Ok: queued as MODEL{number:04}"),
            Err(error) => format!("451 4.3.0 Cannot store the letter: {}", error.kind()),
        }
    }
}

/// The message without stuffed dots and without the final one.
fn unstuffed(wire: &[u8]) -> Vec<u8> {
    let mut raw = Vec::with_capacity(wire.len());
    for line in wire.split_inclusive(|byte| *byte == b'\n') {
        match line {
            b".\r\n" | b".\n" => {}
            [b'.', rest @ ..] => raw.extend_from_slice(rest),
            line => raw.extend_from_slice(line),
        }
    }
    raw
}
