import { answerTasks } from "../thread-pool.ts";
import { prepareSample } from "./sample.ts";

/** The thread behind SamplePool: prepares the samples it is sent and answers with their memory or with the failure. */
answerTasks(prepareSample, ({ image, label }) => [image.buffer, label.buffer]);
