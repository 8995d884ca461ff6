"""The paper's published results (ADI section 5), on its own data.

Only the order of its methods can be compared with a table made here. Tables 2, 6, 7 and 8 are on Alibaba's log, with
92,664,693 users and 2,240,723 items, and have recall over the whole corpus; Table 3 is on the WSDM Cup's data, which is
`xmrec-wsdm22` here, and has Recall@10 among 100 candidates. Table 9 is the A/B test on Alibaba's traffic.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True)
class Published:
    """Recall of each method in each domain, as printed in the paper; `data` names the data set."""

    measure: str
    data: str
    domains: tuple[str, ...]
    recall: Mapping[str, tuple[float, ...]]

    def mean(self, method: str) -> float:
        """The unweighted mean over the domains."""
        return fmean(self.recall[method])


def _alibaba(measure: str, recall: Mapping[str, tuple[float, ...]]) -> Published:
    return Published(measure, "Alibaba's log", ("D1", "D2", "D3"), recall)


TABLE_2 = {
    100: _alibaba(
        "Recall@100",
        {
            "DNN-Single": (0.1862, 0.1170, 0.1029),
            "DNN": (0.1845, 0.1548, 0.1168),
            "Shared-Bottom": (0.1418, 0.1247, 0.0796),
            "Cross-Stitch": (0.1476, 0.1306, 0.0879),
            "MMoE": (0.1860, 0.1633, 0.1097),
            "PLE": (0.1908, 0.1777, 0.1102),
            "ADI-LT": (0.1935, 0.1691, 0.1018),
            "ADI-VA": (0.2062, 0.1865, 0.1123),
            "ADI-SE": (0.2325, 0.2064, 0.1259),
            "ADI-SE (MAX)": (0.2438, 0.2219, 0.1468),
        },
    ),
    500: _alibaba(
        "Recall@500",
        {
            "DNN-Single": (0.3934, 0.2653, 0.2401),
            "DNN": (0.3877, 0.3354, 0.2606),
            "Shared-Bottom": (0.3330, 0.2980, 0.2196),
            "Cross-Stitch": (0.3245, 0.2901, 0.2054),
            "MMoE": (0.3988, 0.3549, 0.2609),
            "PLE": (0.4076, 0.3799, 0.2693),
            "ADI-LT": (0.4086, 0.3627, 0.2483),
            "ADI-VA": (0.4292, 0.3905, 0.2712),
            "ADI-SE": (0.4683, 0.4222, 0.2982),
            "ADI-SE (MAX)": (0.4849, 0.4429, 0.3292),
        },
    ),
    1000: _alibaba(
        "Recall@1000",
        {
            "DNN-Single": (0.5109, 0.3647, 0.3189),
            "DNN": (0.5077, 0.4429, 0.3597),
            "Shared-Bottom": (0.4323, 0.3890, 0.2860),
            "Cross-Stitch": (0.4416, 0.3978, 0.3028),
            "MMoE": (0.5142, 0.4619, 0.3530),
            "PLE": (0.5248, 0.4901, 0.3662),
            "ADI-LT": (0.5244, 0.4694, 0.3387),
            "ADI-VA": (0.5465, 0.5005, 0.3672),
            "ADI-SE": (0.5874, 0.5337, 0.3999),
            "ADI-SE (MAX)": (0.6039, 0.5547, 0.4342),
        },
    ),
}
"""By N; the other tables on Alibaba's log have N = 500 alone."""

TABLE_3 = Published(
    "Recall@10 of 100",
    "the WSDM Cup's data",
    ("s1", "s2", "s3"),
    {
        "DNN-Single": (0.250, 0.535, 0.572),
        "DNN": (0.193, 0.380, 0.460),
        "Shared-Bottom": (0.261, 0.507, 0.537),
        "Cross-Stitch": (0.252, 0.404, 0.510),
        "MMoE": (0.273, 0.611, 0.368),
        "PLE": (0.201, 0.548, 0.525),
        "ADI": (0.266, 0.614, 0.519),
    },
)

TABLE_6 = _alibaba(
    "Recall@500",
    {
        "SUM": (0.4567, 0.4105, 0.2686),
        "Network-Mul": (0.4619, 0.4023, 0.2706),
        "CONCAT": (0.4683, 0.4222, 0.2982),
    },
)

TABLE_7 = _alibaba(
    "Recall@500",
    {
        "ADI-SE": (0.4683, 0.4222, 0.2982),
        "w/o ST": (0.4462, 0.4022, 0.2744),
        "w/o ST & DIAL": (0.4164, 0.3784, 0.2576),
        "w/o ST & DIAL & DSBN": (0.3964, 0.3555, 0.2399),
    },
)

TABLE_8 = _alibaba(
    "Recall@500",
    {
        "1-SE": (0.4415, 0.3922, 0.2804),
        "3-SE": (0.4683, 0.4222, 0.2982),
        "4-SE": (0.4516, 0.4041, 0.2917),
    },
)

TABLE_9 = {"rpm": (0.019, 0.007, 0.026), "ppc": (0.020, -0.002, 0.016), "ctr": (0.000, 0.009, 0.010)}
"""The relative uplift of ADI-SE over DNN in D1, D2 and D3, in two weeks of Alibaba's traffic; without intervals."""
