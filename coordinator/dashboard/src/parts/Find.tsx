import { Modal, Text, TextInput, UnstyledButton } from "@mantine/core";
import { useDebouncedValue, useHotkeys } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { keepPreviousData } from "@tanstack/react-query";
import { type KeyboardEvent, useEffect, useState } from "react";
import { useNavigate } from "react-router";
import { api } from "../api/client";
import classes from "./Find.module.css";
import { Refusal } from "./Refusal";
import { State } from "./State";

const event = "drawbridge:find";
export const openFind = () => void window.dispatchEvent(new Event(event));

/** The search for a person, from anywhere: / or Ctrl+K. */
export function Find() {
  const [opened, setOpened] = useState(false);
  useHotkeys([["/", openFind]]);
  useHotkeys([["mod+K", openFind]], []); // from where one types, too
  useEffect(() => {
    const open = () => setOpened(true);
    window.addEventListener(event, open);
    return () => window.removeEventListener(event, open);
  }, []);
  if (!opened) return null;
  return (
    <Modal
      opened onClose={() => setOpened(false)} title="Find a person" classNames={{ header: classes.header }} padding={0} size={560} centered={false} yOffset="12vh"
      withCloseButton={false}
    >
      <Search close={() => setOpened(false)} />
    </Modal>
  );
}

function Search({ close }: { close: () => void }) {
  const [text, setText] = useState("");
  const [asked] = useDebouncedValue(text.trim(), 120);
  const [at, setAt] = useState(0);
  const go = useNavigate();
  const { data, error } = api.useQuery(
    "get", "/v1/people", { params: { query: { q: asked, limit: 8 } } },
    { enabled: asked !== "", placeholderData: keepPreviousData },
  );
  const found = asked === "" ? [] : (data?.items ?? []);
  const open = (key: string | undefined) => {
    if (!key) return;
    close();
    void go(`/people/${encodeURIComponent(key)}`);
  };
  const move = (e: KeyboardEvent) => {
    if (e.key === "ArrowDown") setAt((n) => Math.min(n + 1, found.length - 1));
    else if (e.key === "ArrowUp") setAt((n) => Math.max(n - 1, 0));
    else if (e.key === "Enter") open(found[at]?.key);
    else return;
    e.preventDefault();
  };
  return (
    <div>
      <TextInput
        data-autofocus size="md" variant="unstyled" px="md" py={6} placeholder="Name or number of a person" aria-label="Name or number of a person"
        leftSection={<IconSearch size={17} aria-hidden />} leftSectionWidth={44} value={text} onKeyDown={move}
        onChange={(e) => {
          setText(e.currentTarget.value);
          setAt(0);
        }}
        role="combobox" aria-expanded={found.length > 0} aria-controls="found" aria-activedescendant={found[at] ? `found-${at}` : undefined}
      />
      <Refusal error={error} />
      <ul id="found" role="listbox" aria-label="People found" className={classes.list}>
        {found.map((p, i) => (
          <li key={p.key} id={`found-${i}`} role="option" aria-selected={i === at}>
            <UnstyledButton component="div" className={classes.row} data-at={i === at || undefined} onMouseEnter={() => setAt(i)} onClick={() => open(p.key)}>
              <Text span fz="sm" fw={550} flex={1} truncate>
                {p.display}
              </Text>
              <Text span fz="xs" c="dimmed" className="mono">
                {p.key}
              </Text>
              <Text component="span" fz="xs" w={70}>
                <State of={p.life} />
              </Text>
            </UnstyledButton>
          </li>
        ))}
      </ul>
      {asked !== "" && data && found.length === 0 && (
        <Text p="md" pt={4} fz="sm" c="dimmed">
          Nobody is called or numbered “{asked}”.
        </Text>
      )}
    </div>
  );
}
