import { describe, expect, test } from "vitest";
import { shownBy } from "../../../../bench/isa/hot-loop.ts";

/** As LLVM prints RADV's code: an outer loop BB1 round the hot loop BB2. */
const LISTING = `
BB0:
	s_load_b128 s[0:3], s[2:3], null                     // 000000000000: F4080001
	v_mov_b32_e32 v1, 0                                  ; 7E020280
BB1:
	v_add_nc_u32_e32 v5, 1, v5
BB2:
	ds_load_b128 v[8:11], v2
	buffer_load_b128 v[12:15], v3, s[0:3], 0 offen
	v_fmac_f32_e32 v1, v8, v9
	(then repeated 3 times)
	v_mul_lo_u32 v4, v4, s4
	s_waitcnt vmcnt(0)
	s_barrier
	ds_store_b128 v2, v[12:15]
	s_cbranch_scc1 BB2
	s_cbranch_scc1 BB1
BB3:
	buffer_load_b32 v6, v3, s[0:3], 0 offen
	s_waitcnt vmcnt(0)
	buffer_load_b32 v7, v3, s[0:3], 0 offen
	s_waitcnt vmcnt(0)
	s_waitcnt vmcnt(0)
	buffer_store_b32 v6, v3, s[0:3], 0 offen
	s_endpgm
`;

describe("a listing shows", () => {
  const { loop, outside, depth, cover, tailWaits } = shownBy(LISTING, 64, "navi31");

  test("the hot loop's work for one wave, apart from loops round it", () => {
    expect(depth).toBe(2);
    expect(loop).toMatchObject({ fma: 4 * 64, vector: 5, ldsLoads: 1, ldsStores: 1, loads: 1, barriers: 1, waits: 1 });
    expect(loop).toMatchObject({ ldsBytes: 2 * 16 * 64, loadBytes: 16 * 64 });
  });

  test("cycles: two passes a wave of 64, one where RDNA 3 issues in pairs, four times as many for slow ones", () => {
    expect(loop).toMatchObject({ cycles: 4 * 2 + 8, cyclesPaired: 4 + 8, fmaCycles: 8, fmaCyclesPaired: 4 });
    expect(shownBy(LISTING, 64, "navi21").loop).toMatchObject({ cycles: 16, cyclesPaired: 16 });
  });

  test("how far a turn's loads are fetched ahead, and waits that nothing hides", () => {
    expect(cover).toBe(4 + 8);
    expect(tailWaits).toBe(2);
    expect(outside).toMatchObject({ loads: 2, stores: 1, fma: 0 });
  });

  test("dual instructions as two, matrix instructions as all that they add up", () => {
    const dual = "v_dual_fmac_f32 v0, v1, v2 :: v_dual_fmac_f32 v3, v4, v5";
    const { whole } = shownBy(`\t${dual}\n\tv_wmma_f32_16x16x16_f16 v[0:7], v[8:15], v[16:23], v[0:7]\n`, 32, "navi31");
    expect(whole).toMatchObject({ fma: 2 * 32 + 4096, vector: 2 });
  });

  test("no loop where nothing branches back", () => {
    expect(shownBy("\tv_mov_b32_e32 v1, 0\n\ts_endpgm\n", 64, "navi31")).toMatchObject({
      loop: null,
      depth: 0,
      cover: null,
    });
  });
});
