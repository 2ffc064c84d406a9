import { REPORT_VERSION, type ReportData } from "../../experiment/report/data.ts";
import { byId } from "../dom.ts";
import { followLive } from "./live.ts";
import { Page } from "./page.ts";

declare global {
  interface Window {
    /** Shows other data: `svanet view` calls it while runs train. */
    svanetReport: { update(data: ReportData): void };
  }
}

const page = new Page(byId("report"));

function show(data: ReportData): void {
  if (data.version !== REPORT_VERSION) {
    throw new Error(`the data are of version ${data.version}, this page shows ${REPORT_VERSION}`);
  }
  page.show(data);
}

window.svanetReport = { update: show };
show(JSON.parse(byId("report-data").textContent ?? "") as ReportData);
followLive(show);
