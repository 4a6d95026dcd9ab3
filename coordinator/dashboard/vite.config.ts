import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// A dev server asks the coordinator at DRAWBRIDGE_URL, as `make demo` prints it.
const coordinator = process.env.DRAWBRIDGE_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "static/app",
    target: "es2022",
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  server: { proxy: { "/v1": coordinator, "/auth": coordinator } },
});
