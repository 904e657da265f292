// A moderator of a shop: no invitations elsewhere, no telephone numbers, no shouting.

/** Digits in a row that make a telephone number. */
const NUMBER = 7;
/** Letters, all of them capitals, that make a shout. */
const SHOUT = 12;

export const moderator = {
  review({ text }) {
    if (/t\.me\/|discord\.gg\//i.test(text)) return verdict("block", "spam");
    const words = text.split(" ");
    const isLong = (word) => word.replace(/[^0-9]/g, "").length >= NUMBER;
    if (words.some(isLong)) {
      return verdict("mask", "contact", words.map((word) => (isLong(word) ? "[number]" : word)).join(" "));
    }
    const letters = text.match(/\p{Alphabetic}/gu) ?? [];
    if (letters.length >= SHOUT && letters.every((letter) => /\p{Uppercase}/u.test(letter))) {
      return verdict("flag", "shouting");
    }
    return { ...verdict("allow", ""), scores: [] };
  },
};

function verdict(action, label, replacement) {
  return { action, replacement, scores: [{ label, value: 1 }], rule: undefined, model: undefined, policy: undefined };
}
