{
  "variables": {
    "lmdb_dir": "<!(node scripts/lmdb-source.mjs --relative)"
  },
  "targets": [
    {
      "target_name": "seguro",
      "sources": [
        "<!@(node -p \"require('node:fs').readdirSync('native/addon').filter((f) => f.endsWith('.cc')).map((f) => 'native/addon/' + f).join(' ')\")"
      ],
      "include_dirs": [
        "<!(node -p \"require('node-addon-api').include_dir\")",
        "native",
        "<(lmdb_dir)"
      ],
      "defines": ["NAPI_VERSION=9", "NODE_ADDON_API_DISABLE_DEPRECATED", "NODE_ADDON_API_CPP_EXCEPTIONS", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags_cc": ["-std=c++20", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17"],
      "ldflags": ["-Wl,--exclude-libs,ALL"],
      "dependencies": ["lmdb_stock", "client", "journal"]
    },
    {
      "target_name": "journal",
      "type": "static_library",
      "sources": [
        "<!@(node -p \"require('node:fs').readdirSync('native/journal').filter((f) => f.endsWith('.cc')).map((f) => 'native/journal/' + f).join(' ')\")"
      ],
      "include_dirs": ["native"],
      "cflags_cc": ["-std=c++20", "-fPIC", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17"]
    },
    {
      "target_name": "client",
      "type": "static_library",
      "sources": [
        "<!@(node -p \"require('node:fs').readdirSync('native/client').filter((f) => f.endsWith('.c')).map((f) => 'native/client/' + f).join(' ')\")"
      ],
      "include_dirs": ["native/client", "native", "native/include"],
      "cflags": ["-fPIC", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden"],
      "cflags_c": ["-std=gnu11"]
    },
    {
      "target_name": "lmdb_stock",
      "type": "static_library",
      "sources": ["<(lmdb_dir)/mdb.c", "<(lmdb_dir)/midl.c"],
      "cflags": ["-w", "-fPIC", "-fvisibility=hidden"]
    }
  ]
}
