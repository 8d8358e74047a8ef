// The prepack script of every publishable workspace: what lies there is TypeScript that exports its sources.
process.stderr.write(
  "Packed from here, this package would not run: use `npm run pack` in the root, then the files in tarballs/.\n",
);
process.exit(1);
