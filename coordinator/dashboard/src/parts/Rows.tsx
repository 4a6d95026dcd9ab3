import { Table } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "./Rows.module.css";

export interface Column<T> {
  head: string;
  cell: (row: T) => ReactNode;
  align?: "right";
  width?: number | string;
  /** Left out where the window is narrow. */
  wide?: boolean;
}

interface Props<T> {
  label: string;
  columns: Column<T>[];
  rows: readonly T[];
  rowKey: (row: T) => string | number;
  /** The first link of a row is that of the whole row. */
  linked?: boolean;
}

/** A list as a table; where the window is narrow each row becomes a card. */
export function Rows<T>({ label, columns, rows, rowKey, linked }: Props<T>) {
  return (
    <Table className={classes.table} data-linked={linked || undefined} aria-label={label}>
      <Table.Thead>
        <Table.Tr>
          {columns.map((c) => (
            <Table.Th key={c.head} ta={c.align} w={c.width} data-wide={c.wide || undefined} scope="col">
              {c.head}
            </Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rows.map((row) => (
          <Table.Tr key={rowKey(row)}>
            {columns.map((c) => (
              <Table.Td key={c.head} ta={c.align} data-label={c.head} data-wide={c.wide || undefined} className={c.align && "num"}>
                {c.cell(row)}
              </Table.Td>
            ))}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
