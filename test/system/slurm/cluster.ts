import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { hostname, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A Slurm of one node that this process has started, with its own configuration, ports, key and state. */
export class Cluster {
  readonly #folder: string;
  readonly #daemons = new Map<string, ChildProcess>();
  /** What programs of Slurm need in their environment to find it. */
  readonly env: NodeJS.ProcessEnv;

  private constructor(folder: string) {
    this.#folder = folder;
    this.env = { ...process.env, SLURM_CONF: join(folder, "slurm.conf") };
  }

  static async start(): Promise<Cluster> {
    const cluster = new Cluster(mkdtempSync(join(tmpdir(), "svanet-slurm-")));
    try {
      await cluster.#begin();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** Runs a program of Slurm to its end; throws where it fails. */
  run(program: string, ...args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync(program, args, { env: this.env, encoding: "utf8" });
    if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}: ${stderr}`);
    return stdout.trim();
  }

  /** Kills the node's daemon as a power cut would, with all that it runs, and has the controller notice. */
  failNode(processes: readonly number[]): void {
    this.#daemons.get("slurmd")?.kill("SIGKILL");
    this.run("scontrol", "update", `NodeName=${NODE}`, "State=DOWN", "Reason=power");
    for (const pid of processes) killed(pid);
  }

  /** Starts the node's daemon again. */
  async mendNode(): Promise<void> {
    this.#start("slurmd", ["slurmd", "-D", "-N", NODE, "-f", this.#path("slurm.conf")]);
    await sleep(500);
    this.run("scontrol", "update", `NodeName=${NODE}`, "State=RESUME");
  }

  /** Ends everything that was started, and removes the folder. */
  async stop(): Promise<void> {
    spawnSync("scancel", ["--user", userInfo().username, "--signal=KILL", "--full"], { env: this.env, timeout: 5000 });
    for (const name of ["slurmd", "slurmctld", "munged"]) {
      const daemon = this.#daemons.get(name);
      if (daemon?.exitCode === null && daemon.signalCode === null) {
        const gone = new Promise((resolve) => daemon.once("exit", resolve));
        daemon.kill("SIGTERM");
        await Promise.race([gone, sleep(5000)]);
        daemon.kill("SIGKILL");
      }
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #path = (...names: string[]): string => join(this.#folder, ...names);

  async #begin(): Promise<void> {
    for (const name of ["state", "spool"]) mkdirSync(this.#path(name));
    writeFileSync(this.#path("munge.key"), randomBytes(128), { mode: 0o600 });
    const munge = ["socket", "pid-file", "log-file", "seed-file"].map(
      (name) => `--${name}=${this.#path(`munge.${name}`)}`,
    );
    this.#start("munged", ["munged", "--foreground", "--force", `--key-file=${this.#path("munge.key")}`, ...munge]);
    writeFileSync(this.#path("slurm.conf"), await this.#configuration());
    await until("munged answers", () => spawnSync("munge", ["-n", "-S", this.#path("munge.socket")]).status === 0);
    this.#start("slurmctld", ["slurmctld", "-D", "-f", this.#path("slurm.conf")]);
    this.#start("slurmd", ["slurmd", "-D", "-N", NODE, "-f", this.#path("slurm.conf")]);
    await until("the node is idle", () => /idle/.test(this.#ask("sinfo", "-h", "-o", "%T")));
  }

  #ask(program: string, ...args: readonly string[]): string {
    return spawnSync(program, args, { env: this.env, encoding: "utf8" }).stdout ?? "";
  }

  #start(name: string, [program = "", ...args]: readonly string[]): void {
    const log = this.#path(`${name}.log`);
    const daemon = spawn("/bin/sh", ["-c", 'exec "$@" >>"$0" 2>&1', log, program, ...args], { env: this.env });
    daemon.once("exit", (code) => {
      if (code) process.stderr.write(`${name} ended with ${code}: ${readFileSync(log, "utf8").slice(-2000)}\n`);
    });
    this.#daemons.set(name, daemon);
  }

  async #configuration(): Promise<string> {
    const [controller, node] = [await freePort(), await freePort()];
    const user = userInfo().username;
    return `ClusterName=svanettest
SlurmctldHost=${hostname()}(127.0.0.1)
SlurmUser=${user}
SlurmdUser=${user}
SlurmctldPort=${controller}
SlurmdPort=${node}
AuthType=auth/munge
AuthInfo=socket=${this.#path("munge.socket")},cred_expire=2
StateSaveLocation=${this.#path("state")}
SlurmdSpoolDir=${this.#path("spool")}
SlurmctldPidFile=${this.#path("slurmctld.pid")}
SlurmdPidFile=${this.#path("slurmd.pid")}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_interval=1
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
KillWait=2
MinJobAge=300
MpiDefault=none
NodeName=${NODE} NodeHostname=${hostname()} NodeAddr=127.0.0.1 Port=${node} CPUs=2 State=UNKNOWN
PartitionName=main Nodes=${NODE} Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
`;
  }
}

/** The name of the only node. */
const NODE = "node1";

/** Waits for something that comes within a minute. */
export async function until(what: string, holds: () => boolean, seconds = 60): Promise<void> {
  for (const end = performance.now() + 1000 * seconds; performance.now() < end; await sleep(50)) if (holds()) return;
  throw new Error(`not within ${seconds} s: ${what}`);
}

function killed(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}
