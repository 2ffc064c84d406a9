import { openOrt } from "./ort.mjs";

export const open = () => openOrt("cpu");
