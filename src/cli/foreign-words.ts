/** What people bring along from other programs, and what there is here instead. */

/** The answer to an option that other programs have; undefined for one that nobody knows. `message` is the parser's. */
export function foreignOption(message: string): string | undefined {
  const [, option] = /unknown option '(--(?:no-)?(?:device|devices|gpus?|cuda))\b/.exec(message) ?? [];
  return option === undefined
    ? undefined
    : `there is no ${option}: the GPU is found by itself through Vulkan, Metal or D3D12, no CUDA is needed; --adapter NAME ` +
        "chooses one of several, which svanet doctor --list shows\n";
}
