import { ActionIcon, Menu, Text, useMantineColorScheme } from "@mantine/core";
import {
  IconActivity,
  IconAlertTriangle,
  IconArrowsExchange,
  IconArrowsShuffle,
  IconDeviceDesktop,
  IconHistory,
  IconHome,
  IconLogout,
  IconMoon,
  IconRouter,
  IconSettings,
  IconStack2,
  IconSun,
  IconUsers,
} from "@tabler/icons-react";
import type { ComponentType } from "react";
import { NavLink } from "react-router";
import { useHome } from "../api/status";
import { session } from "../api/session";
import { count } from "../api/format";
import classes from "./Shell.module.css";

type Icon = ComponentType<{ size?: number; stroke?: number; "aria-hidden"?: boolean }>;

function Item({ to, icon: I, label, n }: { to: string; icon: Icon; label: string; n?: number }) {
  return (
    <NavLink to={to} end={to === "/"} className={classes.item}>
      <I size={17} stroke={1.7} aria-hidden />
      {label}
      {n ? (
        <span className={classes.badge} aria-label={`${n} need attention`}>
          {count(n)}
        </span>
      ) : null}
    </NavLink>
  );
}

/** Where one may go, with how much waits for a person there. */
export function Navigation() {
  const { data } = useHome();
  const n = data?.waiting;
  const held = (data?.held?.length ?? 0) + (n?.held_cycles ?? 0);
  const agents = (data?.agents.away ?? 0) + (data?.agents.asking ?? 0);
  return (
    <>
      <nav className={classes.nav} aria-label="Pages">
        <Item to="/" icon={IconHome} label="Home" />
        <Item to="/people" icon={IconUsers} label="People" />
        <Item to="/changes" icon={IconArrowsExchange} label="Changes" n={held} />
        <Item to="/problems" icon={IconAlertTriangle} label="Problems" n={n?.problems} />
        <Item to="/history" icon={IconHistory} label="History" />
        <div className={classes.group}>Set-up</div>
        <Item to="/systems" icon={IconStack2} label="Systems" n={data?.systems.failing} />
        <Item to="/mappings" icon={IconArrowsShuffle} label="Mappings" />
        <Item to="/agents" icon={IconRouter} label="Agents" n={agents} />
        <Item to="/settings" icon={IconSettings} label="Settings" />
      </nav>
      <div className={classes.foot}>
        <IconActivity size={15} aria-hidden color="var(--mantine-color-dimmed)" />
        <Text fz="xs" c="dimmed" flex={1} truncate title={data?.version}>
          {data ? `Coordinator ${data.version.replace(/-.*/, "")}` : "…"}
        </Text>
        <Appearance />
        <ActionIcon onClick={() => void session.end()} aria-label="Sign out" title="Sign out">
          <IconLogout size={16} aria-hidden />
        </ActionIcon>
      </div>
    </>
  );
}

/** Light, dark, or as the computer has it. */
function Appearance() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const choices = [
    { value: "auto", label: "As this computer", icon: IconDeviceDesktop },
    { value: "light", label: "Light", icon: IconSun },
    { value: "dark", label: "Dark", icon: IconMoon },
  ] as const;
  const Now = choices.find((c) => c.value === colorScheme)?.icon ?? IconDeviceDesktop;
  return (
    <Menu position="top-end" withinPortal>
      <Menu.Target>
        <ActionIcon aria-label="Appearance" title="Appearance">
          <Now size={16} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {choices.map((c) => (
          <Menu.Item key={c.value} leftSection={<c.icon size={14} aria-hidden />} onClick={() => setColorScheme(c.value)}>
            {c.label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
