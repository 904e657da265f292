import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

/**
 * Imports go one way: the client's protocol <- the client <- lib, theme <- features <- app; a
 * feature knows no other.
 */
function mayNotImport(files, ...patterns) {
  return { files, rules: { "no-restricted-imports": ["error", { patterns }] } };
}

const PROTOCOL = "packages/client/src/protocol";

/** What leaves a folder that lies this deep in protocol/. */
const OUTSIDE = (depth) => ({
  regex: String.raw`^(?!\.)|^(\.\./){${depth}}`,
  message: "protocol/ is pure: it imports nothing but itself",
});
const OTHERS = { regex: String.raw`^(?!\.)|/src/`, message: "the client depends on nothing" };
const INSIDE = {
  regex: "packages/|^@clustertalk/client/",
  message: "what the client keeps to itself is not for the page: import @clustertalk/client",
};
const FEATURES = { group: ["**/features/**"], message: "only app.tsx knows the features" };
const APP = { group: ["**/app"], message: "only main.tsx knows the app" };
const SIBLINGS = {
  regex: String.raw`^\.\./(?!\.\./)`,
  message: "a feature knows no other: app.tsx puts them together",
};

export default tseslint.config(
  { ignores: ["**/dist", "**/node_modules", `${PROTOCOL}/generated`] },
  {
    files: ["src/**/*.{ts,tsx}", "packages/*/src/**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, reactHooks.configs.flat.recommended],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/no-confusing-void-expression": "off",
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
    },
  },
  mayNotImport(["src/*"], INSIDE),
  mayNotImport(["src/lib/**", "src/theme/**"], INSIDE, FEATURES, APP),
  mayNotImport(["src/features/**"], INSIDE, SIBLINGS, APP),
  { ...mayNotImport(["packages/client/src/**"], OTHERS), ignores: ["**/*.test.ts"] },
  { ...mayNotImport([`${PROTOCOL}/*`], OUTSIDE(1)), ignores: ["**/*.test.ts"] },
  { ...mayNotImport([`${PROTOCOL}/*/*`], OUTSIDE(2)), ignores: ["**/*.test.ts"] },
  {
    files: [`${PROTOCOL}/**/*.ts`],
    ignores: ["**/*.test.ts"],
    rules: {
      "no-restricted-globals": [
        "error",
        ...["window", "document", "navigator", "localStorage", "setTimeout", "setInterval", "fetch"],
        { name: "Date", message: "the time is handed in" },
      ],
      "no-restricted-properties": [
        "error",
        { object: "Math", property: "random", message: "the random number is handed in" },
      ],
    },
  },
);
