/** A fresh key for something that must happen once. (crypto.randomUUID exists only over TLS and on this machine.) */
export function createIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
