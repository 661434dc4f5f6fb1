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

/// Targets stand in the order in which data flows; DESIGN of the folders: README, "The house".
let package = Package(
    name: "weir",
    products: [
        .executable(name: "weir", targets: ["weir"]),
        .library(name: "Capture", targets: ["Capture"]),
        .library(name: "Packets", targets: ["Packets"]),
        .library(name: "Flows", targets: ["Flows"]),
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
    ],
    targets: [
        // The kernel half and its C neighbours.
        .systemLibrary(name: "KernelABI", path: "bpf/abi"),
        .systemLibrary(name: "CLibBPF", pkgConfig: "libbpf", providers: [.apt(["libbpf-dev", "libelf-dev"])]),
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(name: "CYAML", providers: [.apt(["libyaml-dev"])]),
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
        .target(name: "Capture", dependencies: ["CLinux", "Linux"], swiftSettings: settings),
        .target(name: "Keeper", dependencies: ["KernelABI", "Linux", "BPF", "Host"], swiftSettings: settings),

        // Value Swift: no root, no kernel.
        .target(name: "Packets", dependencies: ["KernelABI"], swiftSettings: settings),
        .target(name: "Flows", dependencies: ["KernelABI", "Packets"], swiftSettings: settings),
        .target(name: "Reports", swiftSettings: settings),
        .target(name: "Publishing", dependencies: ["CHiredis", "CLinux", "Linux", "Reports"], swiftSettings: settings),
        .target(
            name: "Dashboard",
            dependencies: [
                "Linux", "Reports",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),

        // The wiring and the command line.
        .target(
            name: "Sensor",
            dependencies: [
                "CYAML", "KernelABI", "Linux", "BPF", "Host", "Capture", "Keeper", "Packets", "Flows", "Reports",
                "Publishing", "Dashboard",
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "weir",
            dependencies: [
                "Linux", "BPF", "Host", "Publishing", "Reports", "Sensor",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
    ],
    cLanguageStandard: .gnu17
)
