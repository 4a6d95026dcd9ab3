import { Link } from "react-router";
import { Page } from "../parts/Page";
import { Empty } from "../parts/Empty";

export function NotHere() {
  return (
    <Page title="There is no such page">
      <Empty title="Nothing is at this address">
        It may have been mistyped, or come from another release. <Link to="/">Go to the start</Link>.
      </Empty>
    </Page>
  );
}
