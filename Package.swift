// swift-tools-version: 6.3;(experimentalCGen)
// The experimental marker lets the build plugin hand generated C, with the eBPF objects in it, to the compiler.
import PackageDescription

/// One set of rules for every Swift target.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    // Lets the packet path flatten over module borders (ring -> packet -> counters is one loop without calls).
    .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
]

func test(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies + ["Support"], swiftSettings: settings)
}

func bench(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .executableTarget(
        name: name + "Bench",
        dependencies: dependencies + ["Support"],
        path: "bench/" + name,
        exclude: exclude,
        swiftSettings: settings
    )
}

/// Targets stand in the order in which data flows; DESIGN of the folders: README, "The house".
let package = Package(
    name: "weir",
    products: [
        .executable(name: "weir", targets: ["weir"]),
        .library(name: "Capture", targets: ["Capture"]),
        .library(name: "Packets", targets: ["Packets"]),
        .library(name: "Flows", targets: ["Flows"]),
        .library(name: "Detection", targets: ["Detection"]),
        .library(name: "Sensor", targets: ["Sensor"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        // Its default traits pull full Foundation, 60 MB, into the binary.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.8.0"),
    ],
    targets: [
        // The kernel half and its C neighbours.
        .systemLibrary(name: "KernelABI", path: "bpf/abi"),
        .systemLibrary(name: "CLibBPF", pkgConfig: "libbpf", providers: [.apt(["libbpf-dev", "libelf-dev"])]),
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(name: "CYAML", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CIntrinsics"),
        .target(name: "CLinux"),
        .plugin(name: "CompileBPF", capability: .buildTool(), path: "Sources/CompileBPF"),
        .target(name: "BPFImages", plugins: ["CompileBPF"]),

        // Unsafe, root-only, Linux-only.
        .target(name: "Linux", dependencies: ["CLinux"], swiftSettings: settings),
        .target(
            name: "BPF",
            dependencies: ["KernelABI", "CLibBPF", "CLinux", "BPFImages", "Linux"],
            swiftSettings: settings
        ),
        .target(name: "Host", dependencies: ["Linux"], swiftSettings: settings),
        .target(name: "Capture", dependencies: ["CIntrinsics", "CLinux", "CZlib", "Linux"], swiftSettings: settings),
        .target(name: "Keeper", dependencies: ["KernelABI", "Linux", "BPF", "Host"], swiftSettings: settings),

        // Value Swift: no root, no kernel.
        .target(name: "Packets", dependencies: ["KernelABI"], swiftSettings: settings),
        .target(name: "Protocols", swiftSettings: settings),
        .target(
            name: "Flows",
            dependencies: ["CIntrinsics", "KernelABI", "Packets", "Protocols"],
            swiftSettings: settings
        ),
        .target(name: "Detection", dependencies: ["Flows", "Packets"], swiftSettings: settings),
        .target(name: "Reports", dependencies: ["Detection", "Flows", "Packets"], swiftSettings: settings),
        .target(
            name: "Publishing",
            dependencies: [
                "CHiredis", "CLinux", "Linux", "Reports",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "Dashboard",
            dependencies: [
                "Linux", "Reports",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),

        // The wiring and the command line.
        .target(
            name: "Sensor",
            dependencies: [
                "CYAML", "KernelABI", "Linux", "BPF", "Host", "Capture", "Keeper", "Packets", "Flows", "Detection",
                "Reports", "Publishing", "Dashboard",
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "weir",
            dependencies: [
                "Linux", "BPF", "Detection", "Flows", "Host", "Publishing", "Reports", "Sensor",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),

        // Tests mirror Sources; those that need root say so when they skip.
        .target(
            name: "Support",
            dependencies: ["CLibBPF", "CLinux", "CZlib", "Linux"],
            path: "Tests/Support",
            swiftSettings: settings
        ),
        test("LinuxTests", ["CLinux", "Linux"]),
        test("KernelTests", ["BPF", "BPFImages", "CLibBPF", "Flows", "KernelABI", "Linux", "Packets"]),
        test("HostTests", ["Host", "Linux"]),
        test("CaptureTests", ["Capture", "Linux"]),
        test("PacketsTests", ["KernelABI", "Packets"]),
        test("ProtocolsTests", ["Protocols"]),
        test("FlowsTests", ["Capture", "Flows", "KernelABI", "Packets"]),
        test("DetectionTests", ["Capture", "Detection", "Flows", "Linux", "Packets"]),
        test("ReportsTests", ["Detection", "Flows", "Packets", "Reports"]),
        test("PublishingTests", ["Linux", "Publishing", "Reports"]),
        test(
            "DashboardTests",
            ["Dashboard", "Detection", "Linux", "Packets", "Reports", .product(name: "Logging", package: "swift-log")]
        ),
        test(
            "SensorTests",
            [
                "Capture", "Detection", "Flows", "Host", "Linux", "Packets", "Publishing", "Reports", "Sensor",
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        test(
            "WeirTests",
            [
                "Detection", "Flows", "Linux", "Packets", "Reports", "Sensor", "weir",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),

        // One executable for each thing measured.
        .target(name: "Measuring", dependencies: ["Support"], path: "bench/Measuring", swiftSettings: settings),
        bench("Entropy", ["Flows"]),
        bench(
            "Flows",
            ["Capture", "Flows", "Linux", "Measuring", "Packets", "Reports"],
            exclude: ["count.sh", "rivals.py", "rivals.sh"]
        ),
        bench("Idle", ["Linux", "Measuring"], exclude: ["psutil_loop.py"]),
        bench("Kernel", ["BPF", "KernelABI", "Linux"]),
        bench("Load", ["BPF", "Capture", "CLibBPF", "CLinux", "Flows", "KernelABI", "Linux", "Measuring", "Packets"]),
        bench("Packets", ["Flows", "Packets"], exclude: ["count.sh"]),
        bench("Ports", ["Host", "Linux"]),
        bench("Ring", ["Capture", "Linux", "Packets"]),
    ],
    cLanguageStandard: .gnu17
)

// Fuzzers link libFuzzer's own main, so they are built apart: Tests/Fuzz/run.sh.
if Context.environment["WEIR_FUZZING"] != nil {
    package.targets += [
        .target(name: "CFuzzer", path: "Tests/Fuzz/CFuzzer"),
        .executableTarget(
            name: "FuzzCapture",
            dependencies: ["CFuzzer", "Capture", "Linux"],
            path: "Tests/Fuzz/FuzzCapture",
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]
        ),
        .executableTarget(
            name: "FuzzPackets",
            dependencies: ["CFuzzer", "Packets", "Flows"],
            path: "Tests/Fuzz/FuzzPackets",
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]
        ),
        .executableTarget(
            name: "FuzzProtocols",
            dependencies: ["CFuzzer", "Protocols"],
            path: "Tests/Fuzz/FuzzProtocols",
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]
        ),
    ]
}
