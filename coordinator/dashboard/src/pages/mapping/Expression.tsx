import { autocompletion, type CompletionContext, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, keymap, tooltips } from "@codemirror/view";
import { useEffect, useRef } from "react";
import { nonce } from "../../app/nonce";
import { functions } from "./functions";
import classes from "./Mapping.module.css";

interface Props {
  label: string;
  value: string;
  onChange: (text: string) => void;
  /** What may be named: attributes of people, or columns of the source. */
  names: string[];
}

const look = EditorView.theme({
  "&": { fontSize: "12.5px", backgroundColor: "var(--page)", color: "var(--mantine-color-text)" },
  "&.cm-focused": { outline: "none" },
  ".cm-content": { fontFamily: "var(--mantine-font-family-monospace)", padding: "7px 4px" },
  ".cm-cursor": { borderLeftColor: "var(--mantine-color-text)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "light-dark(#cfdcfb, #2b3f73) !important" },
  ".cm-tooltip": { backgroundColor: "var(--panel)", color: "var(--mantine-color-text)", border: "1px solid var(--line)", borderRadius: "6px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--busy)", color: "var(--panel)" },
  ".cm-completionInfo": { maxWidth: "320px", padding: "6px 10px", fontFamily: "var(--mantine-font-family)" },
});

const oneLine = EditorState.transactionFilter.of((tr) => (tr.newDoc.lines > 1 ? [] : tr));

/** An expression, with names and functions completed while one types. */
export function Expression({ label, value, onChange, names }: Props) {
  const holder = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const changed = useRef(onChange);
  changed.current = onChange;
  const known = useRef(names);
  known.current = names;

  useEffect(() => {
    if (!holder.current) return;
    const complete = (context: CompletionContext) => {
      const word = context.matchBefore(/[\w.]+/);
      if (!word && !context.explicit) return null;
      return {
        from: word?.from ?? context.pos,
        options: [
          ...known.current.map((n) => ({ label: n, type: "variable" })),
          ...[...functions].map(([name, f]) => ({ label: name, detail: f.signature.slice(name.length), type: "function", info: f.text, apply: `${name}(` })),
        ],
      };
    };
    const editor = new EditorView({
      parent: holder.current,
      state: EditorState.create({
        doc: value,
        extensions: [
          EditorView.cspNonce.of(nonce), history(), drawSelection(), oneLine, look, EditorView.lineWrapping, tooltips({ position: "fixed" }),
          autocompletion({ override: [complete], icons: false }), keymap.of([...completionKeymap, ...defaultKeymap, ...historyKeymap]),
          EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", tabindex: "0" }),
          EditorView.updateListener.of((u) => u.docChanged && changed.current(u.state.doc.toString())),
        ],
      }),
    });
    view.current = editor;
    return () => editor.destroy();
  }, [label]);

  useEffect(() => {
    const editor = view.current;
    if (editor && editor.state.doc.toString() !== value) editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);

  return <div ref={holder} className={classes.expression} />;
}
