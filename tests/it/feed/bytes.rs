//! The bytes of a file: encodings, quotes, line ends, bounds (F28, F29, F37, F38, F40–F42).

use super::{FeedDesk, counts};

const HEAD: &str = "employee_id,start_date,zone,display_name";

async fn one(bytes: impl AsRef<[u8]>) -> firstpass::feed::FileReport {
    FeedDesk::new().await.drop_file("x.csv", bytes).await
}

#[tokio::test]
async fn f29_line_ends_boms_and_quotes() {
    for (bom, end) in [("", "\n"), ("\u{feff}", "\r\n"), ("", "\r\n"), ("\u{feff}", "\n"), ("", "\r")] {
        let text = format!(
            "{bom}{HEAD},note{end}1,2027-03-01,Europe/Berlin,\"Lovelace, Ada\",\"two{end}lines\"{end}{end}2,soon,Europe/Berlin,Ben,{end}"
        );
        let mut desk = FeedDesk::new().await;
        let report = desk.drop_file("x.csv", text).await;
        assert_eq!(counts(&report), [2, 1, 0, 0, 0, 0, 1], "{end:?} {report}");
        assert_eq!(report.rejects[0].line, 5, "as an editor counts {end:?}");
        assert_eq!(desk.ask("SELECT display_name FROM hire").await, ["Lovelace, Ada"]);
    }
    let trailing = one(format!("{HEAD},\n1,2027-03-01,Europe/Berlin,Ada,\n")).await;
    assert_eq!(counts(&trailing)[1], 1);
    let unended = one(format!("{HEAD}\n1,2027-03-01,Europe/Berlin,Ada")).await;
    assert_eq!(counts(&unended)[1], 1);
}

#[tokio::test]
async fn what_is_no_csv_is_rejected_whole_with_a_sentence() {
    let good = "1,2027-03-01,Europe/Berlin,Ada\n";
    let latin = [format!("{HEAD}\n{good}2,2027-03-01,Europe/Berlin,Zo").into_bytes(), vec![0xEB, b'\n']].concat();
    let overlong = [format!("{HEAD}\n2,2027-03-01,Europe/Berlin,").into_bytes(), vec![0xC0, 0x80, b'\n']].concat();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("latin-1 (F42)", latin, "line 3 is not UTF-8; export the file as UTF-8, or name its encoding"),
        ("overlong (F42)", overlong, "line 2 is not UTF-8"),
        ("empty (F28)", Vec::new(), "is empty"),
        ("zip (F40)", b"PK\x03\x04zzzz".to_vec(), "zip archive"),
        ("gzip (F40)", vec![0x1F, 0x8B, 8, 0], "gzip archive"),
        ("no date (F28)", b"employee_id,city\n1,Berlin\n".to_vec(), "no column for start_date"),
        ("two headers (F28)", b"WorkerID,Employee ID,start_date\n".to_vec(), "both stand for employee_id"),
        ("cut off", format!("{HEAD}\n{good}2,2027-03-01,Europe/Berlin,\"Be").into_bytes(), "line 3 never closes"),
        (
            "a quote lost (F38)",
            format!("{HEAD}\n{good}2,2027-03-01,Europe/Berlin,\"{}", good.repeat(50_000)).into_bytes(),
            "line 3 never closes",
        ),
        (
            "a header of 1 MB (F38)",
            format!("{HEAD},{}\n{good}", "x".repeat(1 << 20)).into_bytes(),
            "the header cannot be read: more than 64 KiB in one field",
        ),
        ("columns (F38)", format!("{HEAD}{}\n", ",x".repeat(600)).into_bytes(), "more than 512 columns"),
    ];
    for (what, bytes, sentence) in cases {
        let mut desk = FeedDesk::new().await;
        let report = desk.drop_file("x.csv", bytes).await;
        assert_eq!(report.state, "rejected", "{what}");
        assert!(report.why.contains(sentence), "{what}: {}", report.why);
        assert!(desk.hires().await.is_empty(), "{what}: nothing was taken");
        assert!(report.now_at.starts_with("rejected/x."), "{what}");
        assert_eq!(desk.ask("SELECT state FROM file").await, ["rejected"]);
    }
}

/// The rows of a report: line, column, and how the reason begins.
fn told(report: &firstpass::feed::FileReport) -> Vec<(u64, &str, &str)> {
    let told = report.rejects.iter();
    told.map(|reject| (reject.line, reject.column.as_str(), reject.reason.split(';').next().unwrap())).collect()
}

#[tokio::test]
async fn f38_a_row_too_large_is_rejected_and_the_others_go_in() {
    let row = |id: u32, name: &str| format!("{id},2027-03-01,Europe/Berlin,{name}\n");
    let mut desk = FeedDesk::new().await;
    let report = desk
        .drop_file(
            "x.csv",
            format!(
                "{HEAD}\n{}{}{}{}{}",
                row(1, "Ada"),
                row(2, &"x".repeat(70_000)),
                row(3, &"ö,".repeat(5_000_000)),
                row(4, &format!("\"{}\"", "two\n\"\"lines\"\"\n".repeat(100_000))),
                row(5, "Eve"),
            ),
        )
        .await;
    assert_eq!(counts(&report), [5, 2, 0, 0, 0, 0, 3], "{report}");
    assert_eq!(
        told(&report),
        [
            (3, "display_name", "more than 64 KiB in one field"),
            (
                4,
                "",
                "more than 1024 fields in one row: is a line end missing there? Rows inside of it were not read. Only its beginning is kept with the rejected rows"
            ),
            (
                5,
                "display_name",
                "more than 64 KiB in one field, over 200001 lines: is a quote missing there? Rows inside of it were not read. Only its beginning is kept with the rejected rows"
            ),
        ]
    );
    assert_eq!(desk.ask("SELECT display_name || source_line FROM hire ORDER BY 1").await, ["Ada2", "Eve200006"]);
    let kept = desk.text(&report.rejected_at);
    assert!(kept.contains(&"x".repeat(70_000)), "as it came");
    assert!(kept.len() < 3 << 20, "a bound on what is kept: {}", kept.len());
    // As it is, it is rejected again; corrected it goes in.
    let again = desk.drop_file("again.csv", kept.as_bytes()).await;
    assert_eq!(counts(&again), [3, 0, 0, 0, 0, 0, 3], "{again}");
    let shorter = kept.replace(&"x".repeat(70_000), "Ben");
    assert_eq!(counts(&desk.drop_file("corrected.csv", shorter).await), [3, 1, 0, 0, 0, 0, 2]);
}

/// The bound falls between the two bytes of a letter, inside and outside of quotes, and on a quote.
#[tokio::test]
async fn f38_a_row_is_cut_between_letters() {
    for quote in ["", "\""] {
        for shift in 0..2 {
            let name = format!("{quote}{}{}{quote}", "x".repeat(shift), "ö".repeat(600_000));
            let report =
                one(format!("{HEAD}\n1,2027-03-01,Europe/Berlin,{name}\n2,2027-03-01,Europe/Berlin,Ben")).await;
            assert_eq!(counts(&report), [2, 1, 0, 0, 0, 0, 1], "{quote} {shift}: {report}");
            let quotes = format!("\"{}{}\"", "x".repeat(shift), "\"\"".repeat(1_200_000));
            let report =
                one(format!("{HEAD}\n1,2027-03-01,Europe/Berlin,{quotes}\n2,2027-03-01,Europe/Berlin,Ben\n")).await;
            assert_eq!(counts(&report), [2, 1, 0, 0, 0, 0, 1], "quotes {shift}: {report}");
        }
    }
}

/// A quote is lost in a column that nobody uses, and another row's closes it: the rows between are no note.
#[tokio::test]
async fn f38_a_quote_that_closes_in_another_row_hides_no_row() {
    let row = |id: &str, note: &str| format!("{id},2027-03-01,Europe/Berlin,Ada,{note}\n");
    let lost = "a field goes on behind its closing quote, over 3 lines: is a quote missing there? Rows inside of it were not read";
    for end in ["\n", "\r\n", "\r"] {
        let mut desk = FeedDesk::new().await;
        let text = [
            format!("{HEAD},note\n"),
            row("1", "\"lost"),
            row("2", ""),
            row("3", "\"closed\""),
            row("4", "\"kept \"\"so\"\"\nhere, there\""),
            row("5", "\"one\" line"),
        ];
        let report = desk.drop_file("x.csv", text.concat().replace('\n', end)).await;
        assert_eq!(counts(&report), [3, 2, 0, 0, 0, 0, 1], "{report}");
        assert_eq!(told(&report), [(2, "note", lost)], "{end:?}");
        assert_eq!(desk.ask("SELECT employee_id FROM hire ORDER BY 1").await, ["4", "5"]);
        let kept = desk.text(&report.rejected_at);
        assert!(kept.contains("3,2027-03-01,Europe/Berlin,Ada"), "{kept}");
        assert_eq!(
            counts(&desk.drop_file("again.csv", kept.clone()).await),
            [1, 0, 0, 0, 0, 0, 1],
            "it is no row now either"
        );
        // A spreadsheet makes all rows as long as the longest.
        let (head, rows) = kept.split_once('\n').unwrap();
        let padded = format!("{},\"\"\n{rows}", head.trim_end_matches('\r'));
        let again = desk.drop_file("padded.csv", padded).await;
        assert_eq!(counts(&again), [1, 0, 0, 0, 0, 0, 1], "{again}");
        assert!(again.rejects[0].reason.starts_with("rows may be inside of this one"), "{again:?}");
    }
}

/// The row around it is long over, blank, a row of labels, or a good one: rows inside of it are told all the same.
#[tokio::test]
async fn f38_rows_inside_of_a_row_are_never_past_blank_or_labels() {
    let inside = "101,2027-03-01,Europe/Berlin,Ben,plain\n102,2027-03-01,Europe/Berlin,Cy,";
    let cases = [
        (
            "of long ago",
            format!("100,2015-01-01,Europe/Berlin,Old,\"tea\n{inside}\"quoted\"\n"),
            "goes on behind its closing quote, over 3 lines",
        ),
        (
            "labels",
            format!("\"employee_id\",\"start_date\",\"zone\",\"name\",\"note\n{inside}\"quoted\"\n"),
            "over 3 lines",
        ),
        (
            "blank",
            format!("{}{}\n", ",".repeat(1100), inside.replace('\n', ",")),
            "1024 fields in one row: is a line end missing",
        ),
        (
            "line ends lost, of long ago",
            format!("100,2015-01-01,Europe/Berlin,Old,tea,{}\n", inside.replace('\n', ",")),
            "the row has 15 fields",
        ),
        (
            "quotes that match, in a good row",
            format!("100,2027-03-01,Europe/Berlin,Ada,\"tea\n{}\n", inside.replace("Cy,", "Cy,coffee\"")),
            "reads like a row of its own",
        ),
        (
            "a stray quote besides, of long ago",
            format!("100,2015-01-01,Europe/Berlin,\"Old\"x,\"tea\n{}\n", inside.replace("Cy,", "Cy,coffee\"")),
            "goes on behind its closing quote",
        ),
        (
            "quotes that match, of long ago",
            format!("100,2015-01-01,Europe/Berlin,Old,\"tea\n{}\n", inside.replace("Cy,", "Cy,coffee\"")),
            "reads like a row of its own",
        ),
    ];
    for (what, rows, reason) in cases {
        let mut desk = FeedDesk::new().await;
        desk.feed.complete = true;
        desk.drop_file(
            "before.csv",
            format!("{HEAD},note\n101,2027-03-01,Europe/Berlin,Ben,\n103,2027-03-01,Europe/Berlin,Eve,\n"),
        )
        .await;
        let report = desk.drop_file("x.csv", format!("{HEAD},note\n{rows}103,2027-03-01,Europe/Berlin,Eve,\n")).await;
        assert_eq!(counts(&report), [2, 0, 0, 0, 1, 0, 1], "{what}: {report}");
        assert!(report.rejects[0].reason.contains(reason), "{what}: {:?}", report.rejects);
        let states = desk.ask("SELECT employee_id || ' ' || state FROM hire ORDER BY 1").await;
        assert_eq!(states, ["101 pending", "103 pending"], "{what}: nobody has vanished");
        assert!(report.why.contains("nobody is taken for vanished"), "{what}: {}", report.why);
    }
}

/// The quotes of a row do not match, on one line: what stands in a field that is used may be half of it.
#[tokio::test]
async fn f38_a_stray_quote_makes_no_other_id_or_name() {
    let report = one(format!(
        "{HEAD},note\n1001\",\"2027-03-01\",\"Europe/Berlin\",\"Ada\",\n\"\"1002\",2027-03-01,Europe/Berlin,Ben,\n\"1003\"x,2027-03-01,Europe/Berlin,Cy,\n1004,2027-03-01,Europe/Berlin,\"Dot\"D\",\n1005,2027-03-01,Europe/Berlin,Eve \"E\" Ash,\"a\"b\n"
    ))
    .await;
    assert_eq!(counts(&report), [5, 1, 0, 0, 0, 0, 4], "{report}");
    let reasons: Vec<_> = report.rejects.iter().map(|reject| (reject.column.as_str(), &reject.reason[..20])).collect();
    assert_eq!(
        reasons,
        [
            ("employee_id", "1001\" has a quote in"),
            ("employee_id", "a field goes on behi"),
            ("employee_id", "a field goes on behi"),
            ("display_name", "a field goes on behi"),
        ]
    );
}

#[tokio::test]
async fn quotes_inside_plain_fields_and_a_million_quotes() {
    let report = one(format!(
        "{HEAD},note\n1,2027-03-01,Europe/Berlin,Ada,5\" disk\n2,2027-03-01,Europe/Berlin,Ben,\"{}\"\n",
        "\"\"".repeat(30_000)
    ))
    .await;
    assert_eq!(counts(&report), [2, 2, 0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn f41_f43_f45_odd_characters_reject_the_row() {
    let report = one(format!("{HEAD}\n1,2027-03-01,Europe/Berlin,A\0da\n2,2027-03-01,Europe/Berlin,\u{202e}neB\n3,2027-03-01,Europe/Berlin,\u{1b}[2J\n4,2027-03-01,Europe/Berlin,Zoë\n")).await;
    assert_eq!(counts(&report), [4, 1, 0, 0, 0, 0, 3]);
    assert!(report.rejects.iter().all(|reject| reject.column == "display_name" && reject.reason.contains("U+")));
}

#[tokio::test]
async fn f37_a_sparse_file_of_ten_gigabytes_is_not_read() {
    let mut desk = FeedDesk::new().await;
    let file = std::fs::File::create(desk.folder().join("huge.csv")).unwrap();
    file.set_len(10 * 1024 * 1024 * 1024).unwrap();
    drop(file);
    let report = desk.poll().await.remove(0);
    assert_eq!(report.state, "rejected");
    assert!(report.why.contains("more than 512 MiB"), "{}", report.why);
}
