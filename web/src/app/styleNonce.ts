declare global {
  interface Window {
    /** Where the scroll lock behind dialogs looks for the nonce of the styles that it adds. */
    __webpack_nonce__?: string
  }
}

const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? ''
window.__webpack_nonce__ = nonce

/** The page's policy allows only those `<style>` elements that bear it. */
export function styleNonce(): string {
  return nonce
}
