"""Answers !ping and !roll in a room. EDGE, ROOM and KEY are in the environment."""
import json, os, pathlib, random, time, urllib.request

BASE = f"{os.environ['EDGE']}/api/v1/rooms/{os.environ['ROOM']}"
PLACE, NEXT = pathlib.Path("position"), pathlib.Path("position.new")  # the last event that was dealt with
COMMANDS = {"!ping": lambda: "pong", "!roll": lambda: f"you rolled {random.randint(1, 6)}"}


def ask(path, body=None, **headers):
    headers |= {"Authorization": f"Bearer {os.environ['KEY']}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{BASE}/{path}", body and json.dumps(body).encode(), headers)
    return urllib.request.urlopen(request, timeout=30)


while True:
    try:
        event = {}
        for line in ask("events", **({"Last-Event-ID": PLACE.read_text()} if PLACE.exists() else {})):
            field, _, event[field] = line.decode().rstrip("\n").partition(": ")
            if field == "data":  # it ends an event of this server
                command = COMMANDS.get(json.loads(event["data"]).get("text"))
                if event["event"] == "message" and command:  # the id makes sure that it is answered once
                    ask("messages", {"user": "bot", "id": f"re:{event['id']}", "text": command()})
                NEXT.write_text(event["id"])
                NEXT.replace(PLACE)  # whole or not at all, whenever the bot ends
    except OSError as error:
        print(error, flush=True)
    time.sleep(1)
