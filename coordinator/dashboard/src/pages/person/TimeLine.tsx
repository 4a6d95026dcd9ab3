import { api } from "../../api/client";
import { Empty } from "../../parts/Empty";
import { Entries } from "../../parts/Entries";
import { Loading } from "../../parts/Loading";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";

/** What happened to a person, the latest first. */
export function TimeLine({ person }: { person: string }) {
  const { data, error } = api.useQuery("get", "/v1/log", { params: { query: { person, limit: 200 } } });
  return (
    <Panel title="Time line" flush>
      <Refusal error={error} />
      {!data && !error && <Loading />}
      {data && <Entries list={data.items} />}
      {data?.items.length === 0 && <Empty title="Nothing has happened yet" />}
    </Panel>
  );
}
