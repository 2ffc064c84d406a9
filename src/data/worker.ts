/** The thread behind SamplePool: prepares the samples it is sent and answers with their memory or with the failure. */
import { prepareSample } from "./sample.ts";
import { answerTasks } from "./thread-pool.ts";

answerTasks(prepareSample, ({ image, label }) => [image.buffer, label.buffer]);
