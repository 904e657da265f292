"""Answers !ping and !roll in a room. EDGE, ROOM and KEY are in the environment."""
import json, os, pathlib, random, time, urllib.request

EDGE, ROOM, KEY = os.environ["EDGE"], os.environ["ROOM"], os.environ["KEY"]
PLACE, NEXT = pathlib.Path("position"), pathlib.Path("position.new")  # the last event that was dealt with
COMMANDS = {"!ping": lambda: "pong", "!roll": lambda: f"you rolled {random.randint(1, 6)}"}


def ask(path, body=None, **headers):
    headers |= {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{EDGE}/api/v1/rooms/{ROOM}/{path}", data, headers)
    return urllib.request.urlopen(request, timeout=30)


def listen():
    event = {}
    for line in ask("events", **({"Last-Event-ID": PLACE.read_text()} if PLACE.exists() else {})):
        field, _, value = line.decode().rstrip("\n").partition(": ")
        event[field] = value
        if field == "data":  # it ends an event of this server
            message = json.loads(value)
            command = COMMANDS.get(message.get("text")) if event["event"] == "message" else None
            if command:  # the id makes sure that it is answered once, whatever happens before the next line
                ask("messages", {"user": "bot", "id": f"re:{event['id']}", "text": command()})
            NEXT.write_text(event["id"])
            NEXT.replace(PLACE)  # whole or not at all, whenever the bot ends


while True:
    try:
        listen()
    except OSError as error:
        print(error, flush=True)
    time.sleep(1)
