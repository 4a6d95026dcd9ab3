import { Link } from "react-router";
import { api } from "../../api/client";
import { Empty } from "../../parts/Empty";
import { Entries } from "../../parts/Entries";
import { Loading } from "../../parts/Loading";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";

/** What happened last. */
export function Recent() {
  const { data, error } = api.useQuery("get", "/v1/log", { params: { query: { limit: 8 } } });
  return (
    <Panel title="What happened last" actions={<Link to="/history">History</Link>} flush>
      <Refusal error={error} />
      {!data && !error && <Loading rows={5} />}
      {data && data.items.length > 0 && <Entries list={data.items} short />}
      {data?.items.length === 0 && <Empty title="Nothing yet">What Drawbridge does will be written here, change by change.</Empty>}
    </Panel>
  );
}
