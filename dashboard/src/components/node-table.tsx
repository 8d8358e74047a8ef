import type { Service } from "../api/contract.ts";

export function NodeTable({ versions }: { readonly versions: readonly Service[] }) {
  const rows = versions.flatMap(({ version, nodes }) => nodes.map((node) => ({ version, ...node })));
  if (rows.length === 0) return <p className="hint">No nodes.</p>;
  const hasVersions = versions.length > 1;
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            {hasVersions && <th scope="col">Version</th>}
            <th scope="col">Id</th>
            <th scope="col">Address</th>
            <th scope="col">Metadata</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ version, id, address, metadata }) => (
            <tr key={`${version} ${id}`}>
              {hasVersions && <td>{version}</td>}
              <td>{id}</td>
              <td>{address}</td>
              <td>
                {Object.entries(metadata).map(([key, value]) => (
                  <span key={key} className="pair">
                    <span className="pair-key">{key}</span> {value}
                  </span>
                ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
