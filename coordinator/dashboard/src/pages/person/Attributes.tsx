import type { Schema } from "../../api/client";
import { Panel } from "../../parts/Panel";
import { Explained } from "./Explained";
import { OriginLine, RuleLine } from "./Origin";
import { Values } from "./Values";
import classes from "./Values.module.css";

/** What is known of the person, each value with the record that it stems from. */
export function Attributes({ list }: { list: Schema["Attribute"][] }) {
  return (
    <Panel title="What is known of this person" flush>
      {list.map((a) => (
        <Explained key={a.path} name={a.path} value={<Values of={a.values} />} note={a.origin && `from ${a.origin.system}`}>
          <ol className={classes.chain}>
            {a.origin && (
              <li>
                <OriginLine of={a.origin} />
              </li>
            )}
            {a.origin?.rule && (
              <li>
                <RuleLine rule={a.origin.rule} />
              </li>
            )}
            {(a.others ?? []).map((o, i) => (
              <li key={i}>
                <span className={classes.step}>not taken:</span> <Values of={o.values} /> {o.origin && <OriginLine of={o.origin} />}
              </li>
            ))}
          </ol>
        </Explained>
      ))}
    </Panel>
  );
}
