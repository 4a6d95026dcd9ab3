import { Button, Group, Text } from "@mantine/core";
import { Link } from "react-router";
import { http, type Schema } from "../../api/client";
import { count, counted } from "../../api/format";
import { sentence } from "../../api/problem";
import { useAction } from "../../parts/action";
import { Confirm } from "../../parts/Confirm";
import { Instant } from "../../parts/Instant";
import { May } from "../../parts/May";
import { Panel } from "../../parts/Panel";
import { Rows } from "../../parts/Rows";

type Held = Schema["Held"];

/** A class of change that goes beyond its threshold, with the first of its jobs. */
export function HeldClass({ held: h }: { held: Held }) {
  const body = { system: h.system, class: h.class };
  const approve = useAction(() => http.POST("/v1/held/approve", { body }), { done: (d) => `${counted(d.jobs, "change")} approved. ${d.detail}` });
  const reject = useAction(() => http.POST("/v1/held/reject", { body }), { done: (d) => `${counted(d.jobs, "change")} rejected.` });
  const jobs = h.jobs ?? [];
  return (
    <Panel
      title={`${counted(h.count, "change")} of class ${h.class} in ${h.system}`} flush
      actions={
        <May operation="approve-held">
          <Group gap="xs">
            <Confirm
              title={`Reject ${counted(h.count, "change")}?`} verb="Reject" danger onConfirm={() => reject.mutate(undefined)}
              trigger={(open) => (
                <Button variant="default" loading={reject.isPending} onClick={open}>
                  Reject …
                </Button>
              )}
            >
              They are dropped, and not planned again until the person changes or you try the problem again.
            </Confirm>
            <Button loading={approve.isPending} onClick={() => approve.mutate(undefined)}>
              Approve {count(h.count)}
            </Button>
          </Group>
        </May>
      }
    >
      <Text px={14} py={10} fz="sm">
        {sentence(h.reason).replace(/\.?$/, ".")}{" "}
        <Text span c="dimmed" fz="sm">
          Since <Instant at={h.since} />.
        </Text>
      </Text>
      <Rows
        label={`First changes of class ${h.class} in ${h.system}`} rows={jobs} rowKey={(j) => j.id}
        columns={[
          { head: "Person", cell: (j) => (j.person ? <Link to={`/people/${encodeURIComponent(j.person)}`}>{j.display || j.person}</Link> : j.object), width: 200 },
          { head: "Change", cell: (j) => sentence(j.text) },
          { head: "Planned", cell: (j) => <Instant at={j.made} />, width: 120, align: "right", wide: true },
          {
            head: "Only this", width: 170, align: "right",
            cell: (j) => <One job={j} />,
          },
        ]}
      />
      {h.count > jobs.length && (
        <Text px={14} py={8} fz="sm" c="dimmed">
          and {count(h.count - jobs.length)} more: <Link to={`/changes/jobs?state=held&system=${h.system}&class=${h.class}`}>see all</Link>
        </Text>
      )}
    </Panel>
  );
}

/** Decides about a single job. */
function One({ job }: { job: Schema["Job"] }) {
  const body = { jobs: [job.id] };
  const approve = useAction(() => http.POST("/v1/held/approve", { body }), { done: `Approved: ${job.text}` });
  const reject = useAction(() => http.POST("/v1/held/reject", { body }), { done: `Rejected: ${job.text}` });
  return (
    <May operation="approve-held">
      <Group gap={4} justify="flex-end" wrap="nowrap">
        <Button size="compact-xs" variant="subtle" aria-label={`Approve only: ${job.display} ${job.text}`} onClick={() => approve.mutate(undefined)}>
          Approve
        </Button>
        <Button size="compact-xs" variant="subtle" color="gray" c="dimmed" aria-label={`Reject only: ${job.display} ${job.text}`} onClick={() => reject.mutate(undefined)}>
          Reject
        </Button>
      </Group>
    </May>
  );
}
