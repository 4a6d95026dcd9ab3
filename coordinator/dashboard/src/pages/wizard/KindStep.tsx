import { Button, Group, Radio, Select, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useEffect } from "react";
import type { Schema } from "../../api/client";
import { Panel } from "../../parts/Panel";
import classes from "./Wizard.module.css";
import { titles, type Choice, type Role } from "./starter";

interface Props {
  connectors: Schema["Connector"][];
  choice: Choice;
  onChange: (c: Choice) => void;
  next: () => void;
}

/** What kind of system it is, how it is called, and where it is. */
export function KindStep({ connectors, choice, onChange, next }: Props) {
  const sites = [...new Set(connectors.map((c) => c.site))];
  useEffect(() => {
    if (!choice.site && sites[0]) onChange({ ...choice, site: sites[0] });
  });
  const here = connectors.filter((c) => c.site === choice.site);
  const set = (part: Partial<Choice>) => onChange({ ...choice, ...part });
  const badName = choice.name !== "" && !/^[a-z0-9][a-z0-9._-]*$/.test(choice.name);
  return (
    <Panel>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          next();
        }}
      >
        <Stack gap="lg">
          <Radio.Group label="What is it for?" value={choice.role} onChange={(v) => set({ role: v as Role })}>
            <SimpleGrid cols={{ base: 1, sm: 2 }} mt={6}>
              <Card value="source" title="People come from it" text="An HR system, or a directory that knows people first." />
              <Card value="target" title="People get accounts in it" text="A directory or an application that shall follow." />
            </SimpleGrid>
          </Radio.Group>
          {sites.length > 1 && <Select label="Site" description="Whose agents reach it" data={sites} value={choice.site} onChange={(v) => set({ site: v ?? "", connector: "" })} size="sm" />}
          <Radio.Group label="What kind of system is it?" value={choice.connector} onChange={(v) => set({ connector: v })}>
            <SimpleGrid cols={{ base: 1, sm: 2, md: 3 }} mt={6}>
              {here.map((c) => {
                const reads = !(c.capabilities ?? []).includes("modify") && choice.role === "target";
                return <Card key={c.name} value={c.name} title={titles[c.name] ?? c.name} text={reads ? "can only be read: no target" : `connector ${c.name} ${c.versions?.[0] ?? ""}`} disabled={reads} />;
              })}
            </SimpleGrid>
          </Radio.Group>
          <TextInput
            label="Name" description="As it is called everywhere: lower-case letters, digits, - _ ." placeholder={choice.role === "source" ? "hr" : "corp-ad"} value={choice.name}
            onChange={(e) => set({ name: e.currentTarget.value })} required size="sm" maw={360} spellCheck={false} error={badName && "Lower-case letters, digits, - _ . only"}
          />
          <Group justify="flex-end">
            <Button type="submit" size="sm" disabled={!choice.connector || !choice.site || choice.name === "" || badName}>
              Next: connection
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  );
}

function Card({ value, title, text, disabled }: { value: string; title: string; text: string; disabled?: boolean }) {
  return (
    <Radio.Card value={value} className={classes.card} disabled={disabled} aria-label={title}>
      <Group wrap="nowrap" align="flex-start" gap="sm">
        <Radio.Indicator disabled={disabled} />
        <div>
          <Text fz="sm" fw={600}>
            {title}
          </Text>
          <Text fz="xs" c="dimmed">
            {text}
          </Text>
        </div>
      </Group>
    </Radio.Card>
  );
}
