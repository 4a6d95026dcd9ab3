import { Link } from "react-router";
import classes from "./Logo.module.css";

/** The name of the product, which leads home. */
export function Logo() {
  return (
    <Link to="/" className={classes.logo}>
      <Mark size={24} />
      Drawbridge
    </Link>
  );
}

export function Mark({ size }: { size: number }) {
  return (
    <svg viewBox="0 0 32 32" width={size} height={size} aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#2f5bd7" />
      <path
        d="M7 24V11l4-4v17M25 24V11l-4-4v17M11 20h10M11 12c2.5 3.2 7.5 3.2 10 0"
        fill="none" stroke="#fff" strokeWidth="2.2" strokeLinecap="round" strokeLinejoin="round"
      />
    </svg>
  );
}
