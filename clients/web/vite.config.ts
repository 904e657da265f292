import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const EDGE = "http://127.0.0.1:3000";

export default defineConfig({
  plugins: [react()],
  build: { assetsDir: "assets", target: "es2022" },
  server: {
    proxy: { "/api": EDGE, "/ws": { target: EDGE, ws: true } },
  },
  test: { include: ["src/**/*.test.ts"] },
});
