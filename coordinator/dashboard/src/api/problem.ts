// A refusal of the API (RFC 9457) with what to do next.
export interface Fault {
  document?: string;
  line?: number;
  column?: number;
  text?: string;
  location?: string;
  message?: string;
  next_step?: string;
}

export interface Problem {
  title?: string;
  status?: number;
  detail?: string;
  next_step?: string;
  errors?: Fault[] | null;
}

/** Makes a problem of whatever was thrown: an answer that refuses, or no answer at all. */
export function problemOf(error: unknown): Problem {
  if (error instanceof TypeError) {
    return {
      title: "No answer from the coordinator",
      detail: "The coordinator does not answer.",
      next_step: "Check that it runs and that this computer reaches it. This page tries again by itself.",
    };
  }
  if (error instanceof Error) return { title: "This page has a fault", detail: error.message };
  if (typeof error === "object" && error !== null) return error;
  return { title: "It did not work", detail: String(error) };
}

/** The first sentence to show. */
export const headline = (p: Problem) => sentence(p.detail || p.title || "It did not work");

export const sentence = (s: string) => s.charAt(0).toUpperCase() + s.slice(1);
