import { AppShell, Burger, Group, Text, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { type ReactNode, useEffect } from "react";
import { useLocation } from "react-router";
import { Find, openFind } from "../parts/Find";
import { Logo } from "../parts/Logo";
import { Live } from "./live";
import { Navigation } from "./Navigation";
import classes from "./Shell.module.css";

/** What stands around every page: where one is, where one may go, and the search. */
export function Shell({ children }: { children: ReactNode }) {
  const [opened, { toggle, close }] = useDisclosure();
  const { pathname } = useLocation();
  useEffect(close, [pathname, close]);
  return (
    <AppShell
      navbar={{ width: 228, breakpoint: "sm", collapsed: { mobile: !opened } }}
      header={{ height: { base: 52, sm: 0 } }}
      padding={0}
      classNames={{ navbar: classes.navbar, header: classes.header, main: classes.main }}
    >
      <a className="skip" href="#content">
        Skip to the content
      </a>
      <Live />
      <AppShell.Header hiddenFrom="sm">
        <Group h="100%" px="md" justify="space-between">
          <Group gap="xs">
            <Burger opened={opened} onClick={toggle} size="sm" aria-label={opened ? "Close the menu" : "Open the menu"} />
            <Logo />
          </Group>
          <UnstyledButton onClick={openFind} aria-label="Find a person" p={6}>
            <IconSearch size={18} aria-hidden />
          </UnstyledButton>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar>
        <Group visibleFrom="sm" px="md" pt="md" pb="sm">
          <Logo />
        </Group>
        <UnstyledButton className={classes.search} onClick={openFind} visibleFrom="sm">
          <IconSearch size={15} aria-hidden />
          <Text span fz="sm" flex={1}>
            Find a person
          </Text>
          <kbd className={classes.key}>/</kbd>
        </UnstyledButton>
        <Navigation />
      </AppShell.Navbar>
      <AppShell.Main id="content" tabIndex={-1}>
        {children}
      </AppShell.Main>
      <Find />
    </AppShell>
  );
}
