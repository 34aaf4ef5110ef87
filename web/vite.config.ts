import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const service = 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [react()],
  build: {
    // The page runs under a policy that allows only what comes from the service itself.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
  },
  server: {
    proxy: {
      '/graphql': { target: service, ws: true },
      '/media': service,
      '/api': service,
      '/auth': service,
    },
  },
})
