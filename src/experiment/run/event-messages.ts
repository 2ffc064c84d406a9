import { Message } from "../../protobuf.ts";

/** Field numbers of TensorFlow's event.proto, summary.proto and tensor.proto. */
export const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5 };
export const SUMMARY = { value: 1 };
export const VALUE = { tag: 1, simpleValue: 2, image: 4, tensor: 8, metadata: 9 };
const IMAGE = { height: 1, width: 2, colourSpace: 3, encoded: 4 };
const METADATA = { pluginData: 1 };
const PLUGIN_DATA = { pluginName: 1, content: 2 };
const TENSOR = { type: 1, shape: 2 };
const SHAPE = { dimension: 2 };
/** Those of TensorBoard's hparams plugin, plugin_data.proto, and of protobuf's struct.proto. */
const HPARAMS = { version: 1, sessionStart: 3 };
const SESSION = { parameters: 1, startTime: 5 };
const ENTRY = { key: 1, value: 2 };
const PARAMETER = { number: 2, text: 3, flag: 4 };

/** `Summary.Image.colorspace`: red, green, blue. */
const RGB = 3;
/** `DT_FLOAT` of types.proto. */
const FLOAT = 1;
/** The version of the plugin's data; `PLUGIN_DATA_VERSION` of its metadata.py. */
const HPARAMS_VERSION = 0;
/** The tag by which the plugin finds a session. */
const SESSION_TAG = "_hparams_/session_start_info";

/** A picture as it is stored: PNG, in colour. */
export interface EventImage {
  readonly width: number;
  readonly height: number;
  readonly png: Uint8Array;
}

/** Settings of a run by name. */
export type HyperParameters = Readonly<Record<string, number | string | boolean>>;

/** When an event is: the step, and seconds since 1970. */
interface EventTime {
  readonly step: number;
  readonly wallTime: number;
}

/** What a file begins with. */
export function versionEvent(wallTime: number): Uint8Array {
  return new Message().double(EVENT.wallTime, wallTime).text(EVENT.fileVersion, "brain.Event:2").encode();
}

/** Numbers of one step, by tag. */
export function scalarEvent(time: EventTime, values: Readonly<Record<string, number>>): Uint8Array {
  const points = Object.entries(values);
  return summaryEvent(
    time,
    points.map(([tag, value]) => new Message().text(VALUE.tag, tag).float(VALUE.simpleValue, value)),
  );
}

/** Pictures of one step, by tag. */
export function imageEvent(time: EventTime, images: ReadonlyMap<string, EventImage>): Uint8Array {
  const pictures = [...images].map(([tag, { width, height, png }]) => {
    const image = new Message().int(IMAGE.height, height).int(IMAGE.width, width).int(IMAGE.colourSpace, RGB);
    return new Message().text(VALUE.tag, tag).message(VALUE.image, image.data(IMAGE.encoded, png));
  });
  return summaryEvent(time, pictures);
}

/** The settings of a run as the hparams plugin reads them: a session that starts with these. */
export function sessionEvent(wallTime: number, settings: HyperParameters): Uint8Array {
  const session = new Message();
  for (const [name, value] of Object.entries(settings)) {
    session.message(SESSION.parameters, new Message().text(ENTRY.key, name).message(ENTRY.value, parameter(value)));
  }
  session.double(SESSION.startTime, wallTime);
  const content = new Message().int(HPARAMS.version, HPARAMS_VERSION).message(HPARAMS.sessionStart, session);
  const plugin = new Message().text(PLUGIN_DATA.pluginName, "hparams").message(PLUGIN_DATA.content, content);
  // The plugin looks at the metadata alone; the value is an empty vector, as its own writer stores.
  const nothing = new Message().message(SHAPE.dimension, new Message());
  const tensor = new Message().int(TENSOR.type, FLOAT).message(TENSOR.shape, nothing);
  const metadata = new Message().message(METADATA.pluginData, plugin);
  const value = new Message().text(VALUE.tag, SESSION_TAG).message(VALUE.tensor, tensor);
  return summaryEvent({ step: 0, wallTime }, [value.message(VALUE.metadata, metadata)]);
}

function parameter(value: HyperParameters[string]): Message {
  if (typeof value === "number") return new Message().double(PARAMETER.number, value);
  if (typeof value === "boolean") return new Message().int(PARAMETER.flag, value ? 1 : 0);
  return new Message().text(PARAMETER.text, value);
}

function summaryEvent({ step, wallTime }: EventTime, values: readonly Message[]): Uint8Array {
  const summary = new Message();
  for (const value of values) summary.message(SUMMARY.value, value);
  return new Message().double(EVENT.wallTime, wallTime).int(EVENT.step, step).message(EVENT.summary, summary).encode();
}
