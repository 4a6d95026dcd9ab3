import type { ReactNode } from "react";
import { useMay } from "../api/me";

/** Shows what one may do only to those who may. */
export function May({ operation, children }: { operation: string; children: ReactNode }) {
  return useMay(operation) ? children : null;
}
