"""A moderator of a shop: no invitations elsewhere, no telephone numbers, no shouting."""
from wit_world import exports
from wit_world.exports.moderator import Action, Message, Score, Verdict

NUMBER = 7  # digits in a row that make a telephone number
SHOUT = 12  # letters, all of them capitals, that make a shout


class Moderator(exports.Moderator):
    def review(self, message: Message) -> Verdict:
        small = message.text.lower()
        if "t.me/" in small or "discord.gg/" in small:
            return verdict(Action.BLOCK, "spam")
        words = message.text.split(" ")
        if any(map(is_long, words)):
            masked = " ".join("[number]" if is_long(word) else word for word in words)
            return verdict(Action.MASK, "contact", masked)
        letters = [letter for letter in message.text if letter.isalpha()]
        if len(letters) >= SHOUT and all(letter.isupper() for letter in letters):
            return verdict(Action.FLAG, "shouting")
        return Verdict(Action.ALLOW, None, [], None, None, None)


def is_long(word: str) -> bool:
    return sum(letter in "0123456789" for letter in word) >= NUMBER


def verdict(action: Action, label: str, replacement: str | None = None) -> Verdict:
    return Verdict(action, replacement, [Score(label, 1.0)], None, None, None)
