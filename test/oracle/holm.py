"""p-values corrected by Holm's method, and the two paired tests of a table's row, for test/unit/metrics/holm.test.ts.

Made with statsmodels 0.15.0 and scipy 1.17.1: pip install scipy statsmodels, then python3 holm.py
"""
from scipy.stats import ttest_rel, wilcoxon
from statsmodels.stats.multitest import multipletests

for values in ([0.01, 0.04, 0.03, 0.005], [0.2, 0.2, 0.9], [0.02, 0.02, 0.021], [0.5], [0.0, 1.0, 0.0249, 0.05, 0.0125]):
    print(values, [float(f"{p:.12g}") for p in multipletests(values, method="holm")[1]])

one = [71.2, 68.4, 80.1, 55.5, 62.3, 77.7, 69.9]
two = [70.1, 69.0, 78.6, 51.2, 60.0, 77.9, 66.6]
print(ttest_rel(one, two).pvalue, wilcoxon(one, two, method="exact").pvalue)
