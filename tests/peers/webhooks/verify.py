# Judges signed requests, a JSON list of {headers, body} on standard input, with the key in argv[1]: by the
# reference implementation where it is installed, and by the words of the specification. Prints one JSON
# list: what each body holds. A wrong signature ends it with a message.
import base64, hashlib, hmac, json, sys
from datetime import datetime, timezone

secret, seen = sys.argv[1], json.load(sys.stdin)
key = base64.b64decode(secret.removeprefix("whsec_"))

def by_the_words(headers, body):
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    wanted = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    given = [part.split(",", 1) for part in headers["webhook-signature"].split(" ")]
    if not any(version == "v1" and hmac.compare_digest(wanted, value) for version, value in given):
        sys.exit("a signature is wrong")
    return json.loads(body)

try:
    from standardwebhooks import Webhook, webhooks
except ImportError:
    Webhook = None

out = []
for one in seen:
    held = by_the_words(one["headers"], one["body"])
    if Webhook:
        stamp = float(one["headers"]["webhook-timestamp"])
        class At(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.fromtimestamp(stamp, timezone.utc)
        # Stories happen in 2027; a request of now is judged by the real clock.
        webhooks.datetime = datetime if abs(datetime.now(timezone.utc).timestamp() - stamp) < 60 else At
        assert Webhook(secret).verify(one["body"], one["headers"]) == held
        try:
            Webhook(secret).verify(one["body"] + " ", one["headers"])
            sys.exit("a changed body was taken")
        except webhooks.WebhookVerificationError:
            pass
    out.append(held)
print(json.dumps({"library": bool(Webhook), "held": out}))
