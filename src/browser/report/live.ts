import type { ReportData } from "../../experiment/report/data.ts";
import { element } from "../dom.ts";

/**
 * Shows every document that the server of the page sends, where it was served by one that does: messages are reports, `end`
 * says that all runs have ended.
 */
export function followLive(show: (data: ReportData) => void): void {
  const settings = document.getElementById("report-live")?.textContent;
  if (!settings) return;
  const { events } = JSON.parse(settings) as { readonly events: string };
  const status = element("p", { attributes: { class: "live", role: "status" } }, "live");
  document.body.prepend(status);
  const source = new EventSource(events);
  source.addEventListener("message", ({ data }) => {
    status.textContent = "live";
    show(JSON.parse(data) as ReportData);
  });
  source.addEventListener("end", () => {
    status.textContent = "all runs have ended";
    source.close();
  });
  source.addEventListener("error", () => {
    if (source.readyState !== EventSource.OPEN) status.textContent = "not connected: is svanet view still running?";
  });
}
