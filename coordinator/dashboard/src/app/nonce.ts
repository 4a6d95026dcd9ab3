/** The nonce that style sheets made at run time carry; it is new with each load of the page. */
export const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? "";
