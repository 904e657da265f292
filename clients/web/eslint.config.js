import reactHooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

/** Imports go one way: protocol <- lib, theme <- features <- app; a feature knows no other. */
function mayNotImport(files, ...patterns) {
  return { files, rules: { "no-restricted-imports": ["error", { patterns }] } };
}

const VIEW = {
  group: ["react", "react-dom", "**/lib/**", "**/theme/**", "**/features/**", "**/app"],
  message: "protocol/ is pure: no React, no DOM, no timers, nothing of the view",
};
const FEATURES = { group: ["**/features/**"], message: "only app.tsx knows the features" };
const APP = { group: ["**/app"], message: "only main.tsx knows the app" };
const SIBLINGS = {
  regex: String.raw`^\.\./(?!\.\./)`,
  message: "a feature knows no other: app.tsx puts them together",
};

export default tseslint.config(
  { ignores: ["dist", "node_modules", "src/protocol/generated"] },
  {
    files: ["src/**/*.{ts,tsx}"],
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
  mayNotImport(["src/protocol/**"], VIEW),
  mayNotImport(["src/lib/**", "src/theme/**"], FEATURES, APP),
  mayNotImport(["src/features/**"], SIBLINGS, APP),
  {
    files: ["src/protocol/**/*.ts"],
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
