@testable import Flows

/// Why a column differs from a row that another tool wrote; docs/features.md says the same.
struct ColumnDifferences {
    typealias Reasons = [(columns: [String], why: String)]

    static func java(_ profile: FlowProfile) -> Reasons { profile == .corrected ? javaCorrected : javaCIC }

    static func python(_ profile: FlowProfile) -> Reasons { profile == .corrected ? pythonCorrected : pythonCIC }

    private static var javaCorrected: Reasons {
        [
            (
                [
                    "Fwd PSH Flags", "Bwd PSH Flags",
                ],
                "the tool looks at the flow's first packet alone"
            ),
            (
                [
                    "Subflow Fwd Packets", "Subflow Fwd Bytes", "Subflow Bwd Packets", "Subflow Bwd Bytes",
                ],
                "the tool divides by the pauses, not by what is between them, and leaves the fraction out"
            ),
        ]
    }

    private static var javaCIC: Reasons {
        [
            (
                [
                    "Packet Length Mean", "Packet Length Std", "Packet Length Variance",
                ],
                "this build no longer counts the first packet twice; its other rows, CIC-IDS2017 and 2018, do"
            ),
            (
                [
                    "Down/Up Ratio"
                ],
                "this build divides fractions, the others whole numbers"
            ),
            (
                [
                    "Fwd Bytes/Bulk Avg", "Fwd Packet/Bulk Avg", "Fwd Bulk Rate Avg", "Bwd Bytes/Bulk Avg",
                    "Bwd Packet/Bulk Avg", "Bwd Bulk Rate Avg",
                ],
                "this build compares addresses by value, so that it knows forward from backward; the others take all for backward"
            ),
            (
                [
                    "Bwd Init Win Bytes"
                ],
                "this build keeps the first packet's window, the others the last packet's"
            ),
        ]
    }

    private static var pythonCorrected: Reasons {
        [
            (
                [
                    "Total Length of Fwd Packet", "Total Length of Bwd Packet", "Fwd Packet Length Max",
                    "Fwd Packet Length Min", "Fwd Packet Length Mean", "Fwd Packet Length Std",
                    "Bwd Packet Length Max", "Bwd Packet Length Min", "Bwd Packet Length Mean",
                    "Bwd Packet Length Std", "Flow Bytes/s", "Packet Length Min", "Packet Length Max",
                    "Packet Length Mean", "Packet Length Std", "Packet Length Variance", "Average Packet Size",
                    "Fwd Segment Size Avg", "Bwd Segment Size Avg",
                ],
                "lengths of whole frames, not of payload; deviations divide by n"
            ),
            (
                [
                    "Flow IAT Mean", "Flow IAT Std", "Flow IAT Max", "Flow IAT Min", "Fwd IAT Total", "Fwd IAT Mean",
                    "Fwd IAT Std", "Fwd IAT Max", "Fwd IAT Min", "Bwd IAT Total", "Bwd IAT Mean", "Bwd IAT Std",
                    "Bwd IAT Max", "Bwd IAT Min",
                ],
                "a single gap counts as none; deviations divide by n"
            ),
            (
                [
                    "FIN Flag Count", "SYN Flag Count", "RST Flag Count", "PSH Flag Count", "ACK Flag Count",
                    "Fwd PSH Flags", "Bwd PSH Flags",
                ],
                "the port tells no flags: FIN is 1 in nearly all rows, UDP's too, and all others are 0"
            ),
            (
                [
                    "Fwd Header Length", "Bwd Header Length", "Fwd Seg Size Min",
                ],
                "each TCP header counts as 20 bytes, without its options"
            ),
            (
                [
                    "Fwd Bytes/Bulk Avg", "Fwd Packet/Bulk Avg", "Fwd Bulk Rate Avg", "Bwd Bytes/Bulk Avg",
                    "Bwd Packet/Bulk Avg", "Bwd Bulk Rate Avg",
                ],
                "padding counts as payload"
            ),
            (
                [
                    "Subflow Fwd Packets", "Subflow Fwd Bytes", "Subflow Bwd Packets", "Subflow Bwd Bytes",
                ],
                "the port divides nothing, and counts frames"
            ),
            (
                [
                    "Bwd Init Win Bytes"
                ],
                "the last packet's window"
            ),
            (
                [
                    "Fwd Act Data Pkts"
                ],
                "padding counts as payload"
            ),
            (
                [
                    "Active Mean", "Active Std", "Active Max", "Active Min", "Idle Mean", "Idle Std", "Idle Max",
                    "Idle Min",
                ],
                "idle after 5 ms in the port, 5 s in the Java tool and here; deviations divide by n"
            ),
        ]
    }

    private static var pythonCIC: Reasons {
        [
            (
                [
                    "Total Length of Fwd Packet", "Total Length of Bwd Packet", "Fwd Packet Length Max",
                    "Fwd Packet Length Min", "Fwd Packet Length Mean", "Fwd Packet Length Std",
                    "Bwd Packet Length Max", "Bwd Packet Length Min", "Bwd Packet Length Mean",
                    "Bwd Packet Length Std", "Flow Bytes/s", "Packet Length Min", "Packet Length Max",
                    "Packet Length Mean", "Packet Length Std", "Packet Length Variance", "Average Packet Size",
                    "Fwd Segment Size Avg", "Bwd Segment Size Avg",
                ],
                "lengths of whole frames, not of payload; deviations divide by n"
            ),
            (
                [
                    "Flow IAT Mean", "Flow IAT Std", "Flow IAT Max", "Flow IAT Min", "Fwd IAT Total", "Fwd IAT Mean",
                    "Fwd IAT Std", "Fwd IAT Max", "Fwd IAT Min", "Bwd IAT Total", "Bwd IAT Mean", "Bwd IAT Std",
                    "Bwd IAT Max", "Bwd IAT Min",
                ],
                "a single gap counts as none; deviations divide by n"
            ),
            (
                [
                    "FIN Flag Count", "SYN Flag Count", "RST Flag Count", "PSH Flag Count", "ACK Flag Count",
                    "Fwd PSH Flags",
                ],
                "the port tells no flags: FIN is 1 in nearly all rows, UDP's too, and all others are 0"
            ),
            (
                [
                    "Fwd Header Length", "Bwd Header Length", "Fwd Seg Size Min",
                ],
                "each TCP header counts as 20 bytes, without its options"
            ),
            (
                [
                    "Down/Up Ratio"
                ],
                "the port divides fractions, the Java tool whole numbers"
            ),
            (
                [
                    "Fwd Bytes/Bulk Avg", "Fwd Packet/Bulk Avg", "Fwd Bulk Rate Avg", "Bwd Bytes/Bulk Avg",
                    "Bwd Packet/Bulk Avg", "Bwd Bulk Rate Avg",
                ],
                "the port knows forward from backward, which the Java tool does not; padding counts as payload"
            ),
            (
                [
                    "Subflow Fwd Packets", "Subflow Fwd Bytes", "Subflow Bwd Packets", "Subflow Bwd Bytes",
                ],
                "the port divides nothing, and counts frames"
            ),
            (
                [
                    "Fwd Act Data Pkts"
                ],
                "the first packet counts; padding counts as payload"
            ),
            (
                [
                    "Active Mean", "Active Std", "Active Max", "Active Min", "Idle Mean", "Idle Std", "Idle Max",
                    "Idle Min",
                ],
                "idle after 5 ms in the port, 5 s in the Java tool and here; deviations divide by n"
            ),
        ]
    }
}
