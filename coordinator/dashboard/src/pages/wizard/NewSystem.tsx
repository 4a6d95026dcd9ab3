import { Stepper } from "@mantine/core";
import { useState } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";
import { api } from "../../api/client";
import { Empty } from "../../parts/Empty";
import { Loading } from "../../parts/Loading";
import { Page } from "../../parts/Page";
import { Panel } from "../../parts/Panel";
import { Refusal } from "../../parts/Refusal";
import type { Settings, SettingSchema } from "../../parts/settings";
import { ConnectionStep } from "./ConnectionStep";
import { KindStep } from "./KindStep";
import type { Choice } from "./starter";
import { TestStep } from "./TestStep";

/** Adds a system: what it is, how it is reached, and whether it can be; its mapping follows on its own page. */
export default function NewSystem() {
  const [query] = useSearchParams();
  const go = useNavigate();
  const [step, setStep] = useState(0);
  const [choice, setChoice] = useState<Choice>({ name: "", site: "", connector: "", role: query.get("role") === "source" ? "source" : "target" });
  const [settings, setSettings] = useState<Settings>({});
  const { data, error } = api.useQuery("get", "/v1/connectors");
  const schema = data?.items.find((c) => c.site === choice.site && c.name === choice.connector)?.settings as SettingSchema | undefined;
  return (
    <Page title="Add a system" lead={<><Link to="/systems">Systems</Link> / new</>}>
      <Refusal error={error} />
      {!data && !error && <Loading />}
      {data?.items.length === 0 && (
        <Panel>
          <Empty title="Enrol an agent first">
            An agent stands beside your systems and brings the connectors that reach them. <Link to="/agents?enrol=1">Enrol an agent</Link>, then come back.
          </Empty>
        </Panel>
      )}
      {data && data.items.length > 0 && (
        <Stepper active={step} size="sm" onStepClick={setStep} allowNextStepsSelect={false} contentPadding="md">
          <Stepper.Step label="What it is">
            <KindStep connectors={data.items} choice={choice} onChange={setChoice} next={() => setStep(1)} />
          </Stepper.Step>
          <Stepper.Step label="Connection">
            <ConnectionStep choice={choice} schema={schema ?? {}} settings={settings} onChange={setSettings} next={() => setStep(2)} />
          </Stepper.Step>
          <Stepper.Step label="Test">
            <TestStep choice={choice} schema={schema ?? {}} next={() => void go(`/systems/${choice.name}/mapping`)} back={() => setStep(1)} />
          </Stepper.Step>
          <Stepper.Step label="Mapping" />
        </Stepper>
      )}
    </Page>
  );
}
