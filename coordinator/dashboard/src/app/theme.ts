import {
  ActionIcon,
  Alert,
  Badge,
  Button,
  Card,
  createTheme,
  type CSSVariablesResolver,
  Modal,
  type MantineColorsTuple,
  SegmentedControl,
  Select,
  Table,
  Tabs,
  Textarea,
  TextInput,
  Tooltip,
} from "@mantine/core";

const bridge: MantineColorsTuple = [
  "#eef3ff", "#dce5fb", "#b6c8f5", "#8da9f0", "#6a8eeb", "#537de9", "#3f6ce0", "#2f5bd7", "#254ebb", "#1b3f9f",
];
const gray: MantineColorsTuple = [
  "#f8f9fb", "#f1f3f6", "#e6e9ee", "#d9dde4", "#c3c9d3", "#9aa2b0", "#6f7887", "#545d6b", "#353c48", "#1c212a",
];
const dark: MantineColorsTuple = [
  "#d6dae1", "#b4bac5", "#949cab", "#6b7484", "#3a414e", "#2a303b", "#1e232c", "#14181f", "#0f1218", "#0a0d12",
];

export const theme = createTheme({
  primaryColor: "bridge",
  primaryShade: { light: 7, dark: 6 },
  colors: { bridge, gray, dark },
  fontFamily: "'Inter Variable', system-ui, sans-serif",
  fontFamilyMonospace: "'JetBrains Mono Variable', ui-monospace, monospace",
  fontSizes: { xs: "0.75rem", sm: "0.8125rem", md: "0.875rem", lg: "1rem", xl: "1.25rem" },
  headings: {
    fontWeight: "600",
    sizes: {
      h1: { fontSize: "1.25rem", lineHeight: "1.4" },
      h2: { fontSize: "0.9375rem", lineHeight: "1.4" },
      h3: { fontSize: "0.875rem", lineHeight: "1.4" },
    },
  },
  defaultRadius: "md",
  radius: { xs: "3px", sm: "4px", md: "6px", lg: "10px", xl: "16px" },
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: "subtle", color: "gray" } }),
    Alert: Alert.extend({ defaultProps: { variant: "light" } }),
    Badge: Badge.extend({ defaultProps: { variant: "default", size: "sm", tt: "none", fw: 500 } }),
    Button: Button.extend({ defaultProps: { size: "xs" } }),
    Card: Card.extend({ defaultProps: { withBorder: true, padding: "md" } }),
    Modal: Modal.extend({ defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.4 } } }),
    SegmentedControl: SegmentedControl.extend({ defaultProps: { size: "xs" } }),
    Select: Select.extend({ defaultProps: { size: "xs" } }),
    Table: Table.extend({ defaultProps: { verticalSpacing: 7, horizontalSpacing: "sm", fz: "sm" } }),
    Tabs: Tabs.extend({ defaultProps: { keepMounted: false } }),
    Textarea: Textarea.extend({ defaultProps: { size: "xs" } }),
    TextInput: TextInput.extend({ defaultProps: { size: "xs" } }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 250, events: { hover: true, focus: true, touch: true } } }),
  },
});

/** Colours of our own: dimmed text that is still easy to read, and one for each state. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-body": "#ffffff",
    "--mantine-color-dimmed": "#59616e",
    "--mantine-color-placeholder": "#697280",
    "--mantine-color-error": "#b3261e",
    "--page": "#f7f8fa",
    "--panel": "#ffffff",
    "--line": "#e4e7ec",
    "--hover": "#f3f5f8",
    "--good": "#1a7f4b",
    "--warn": "#a15c00",
    "--bad": "#b3261e",
    "--calm": "#59616e",
    "--busy": "#2f5bd7",
    "--link": "#254ebb",
    "--added": "#e3f4ea",
    "--removed": "#fbe9e7",
  },
  dark: {
    "--mantine-color-body": "#12161c",
    "--mantine-color-text": "#e3e6eb",
    "--mantine-color-dimmed": "#9aa3b1",
    "--mantine-color-placeholder": "#8b94a3",
    "--mantine-color-error": "#ff8a80",
    "--page": "#0d1015",
    "--panel": "#141920",
    "--line": "#262d37",
    "--hover": "#1b212a",
    "--good": "#4cc38a",
    "--warn": "#e5a54b",
    "--bad": "#ff8a80",
    "--calm": "#9aa3b1",
    "--busy": "#8da9f0",
    "--link": "#9db6f4",
    "--added": "#12301f",
    "--removed": "#3a1a1a",
  },
});
