import { Button, Modal, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconEye } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { http, type Schema } from "../../api/client";
import { Loading } from "../../parts/Loading";
import { May } from "../../parts/May";
import { Refusal } from "../../parts/Refusal";
import { Steps } from "../mapping/Steps";

/** What would be done for the person now, without doing it. */
export function Preview({ person }: { person: Schema["Person"] }) {
  const [opened, { open, close }] = useDisclosure();
  return (
    <May operation="try-configuration">
      <Button variant="default" leftSection={<IconEye size={14} aria-hidden />} onClick={open}>
        Preview
      </Button>
      <Modal opened={opened} onClose={close} size="lg" title={<Text fw={600}>What would be done for {person.display}</Text>} closeButtonProps={{ "aria-label": "Close" }}>
        {opened && <Trial person={person.key} />}
      </Modal>
    </May>
  );
}

function Trial({ person }: { person: string }) {
  const { data, error } = useQuery({
    queryKey: ["preview", "/v1/people", person],
    queryFn: async ({ signal }) => {
      const { data, error } = await http.POST("/v1/configuration/trial", { body: { person }, signal });
      if (error) throw error;
      return data;
    },
  });
  if (error) return <Refusal error={error} />;
  if (!data) return <Loading rows={4} />;
  return (
    <Stack gap="md">
      {data.accounts.map((a) => (
        <Steps key={a.system} account={a} title={a.system} />
      ))}
      {data.accounts.length === 0 && <Text fz="sm">No target is for this person.</Text>}
    </Stack>
  );
}
