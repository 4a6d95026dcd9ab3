import { useMe } from "../../api/me";
import { isInstant } from "../../api/format";
import { Instant } from "../../parts/Instant";
import { Loading } from "../../parts/Loading";
import { Facts, Panel } from "../../parts/Panel";

/** Who is signed in, and what they may do. */
export function Me() {
  const { data: me } = useMe();
  if (!me) return <Loading rows={3} />;
  return (
    <Panel title="Signed in as">
      <Facts
        list={[
          ["Name", me.name],
          ["E-mail", me.email || "not known"],
          ["Organisation", me.tenant],
          ["Roles", me.roles.join(", ")],
          ["By", me.means],
          ["Until", isInstant(me.expires) ? <Instant at={me.expires} as="time" /> : "there is no end"],
        ]}
      />
    </Panel>
  );
}
