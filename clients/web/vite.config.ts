import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const EDGE = "http://127.0.0.1:3000";
/** As it is written, so that a change of it shows at once. */
const CLIENT = fileURLToPath(new URL("packages/client/src/index.ts", import.meta.url));

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@clustertalk/client": CLIENT } },
  build: { assetsDir: "assets", target: "es2022" },
  server: {
    proxy: { "/api": EDGE, "/ws": { target: EDGE, ws: true } },
  },
  test: { include: ["src/**/*.test.ts", "packages/client/src/**/*.test.ts"] },
});
