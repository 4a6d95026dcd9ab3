import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";
import type { Fault } from "../api/problem";
import { nonce } from "../app/nonce";

interface Props {
  label: string;
  value: string;
  onChange?: (text: string) => void;
  faults?: Fault[];
}

const look = EditorView.theme({
  "&": { fontSize: "12.5px", backgroundColor: "var(--panel)", color: "var(--mantine-color-text)" },
  "&.cm-focused": { outline: "2px solid var(--busy)", outlineOffset: "-2px" },
  ".cm-content, .cm-gutters": { fontFamily: "var(--mantine-font-family-monospace)", lineHeight: "1.6" },
  ".cm-gutters": { backgroundColor: "var(--panel)", color: "var(--mantine-color-dimmed)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  ".cm-cursor": { borderLeftColor: "var(--mantine-color-text)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "light-dark(#cfdcfb, #2b3f73) !important" },
  ".cm-tooltip": { backgroundColor: "var(--panel)", border: "1px solid var(--line)", borderRadius: "6px" },
});

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--link)" },
  { tag: tags.comment, color: "var(--mantine-color-dimmed)", fontStyle: "italic" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--good)" },
  { tag: [tags.keyword, tags.meta, tags.punctuation], color: "var(--mantine-color-dimmed)" },
]);

/** Text in YAML with line numbers, and its faults where they are. Tab leaves it after Escape. */
export function Editor({ label, value, onChange, faults }: Props) {
  const holder = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const changed = useRef(onChange);
  changed.current = onChange;

  useEffect(() => {
    if (!holder.current) return;
    const editor = new EditorView({
      parent: holder.current,
      state: EditorState.create({
        doc: value,
        extensions: [
          EditorView.cspNonce.of(nonce), lineNumbers(), history(), drawSelection(), indentOnInput(), highlightActiveLine(), yaml(), lintGutter(),
          syntaxHighlighting(colours), look, keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
          EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
          EditorState.readOnly.of(!changed.current),
          EditorView.updateListener.of((u) => u.docChanged && changed.current?.(u.state.doc.toString())),
        ],
      }),
    });
    view.current = editor;
    return () => editor.destroy();
    // The editor is made once; what comes later is given to it below.
  }, [label]);

  useEffect(() => {
    const editor = view.current;
    if (editor && editor.state.doc.toString() !== value) {
      editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
    }
  }, [value]);

  useEffect(() => {
    const editor = view.current;
    if (editor) editor.dispatch(setDiagnostics(editor.state, (faults ?? []).flatMap((f) => diagnostic(editor.state, f))));
  }, [faults]);

  return <div ref={holder} />;
}

function diagnostic(state: EditorState, f: Fault): Diagnostic[] {
  if (!f.line || f.line > state.doc.lines) return [];
  const line = state.doc.line(f.line);
  const from = Math.min(line.from + Math.max((f.column ?? 1) - 1, 0), line.to);
  return [{ from, to: line.to, severity: "error", message: [f.message, f.next_step].filter(Boolean).join("\n") }];
}
